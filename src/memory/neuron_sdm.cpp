// SPDX-License-Identifier: MIT

#include "mneme/memory/neuron_sdm.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "kernels/counter_sum/counter_sum.h"
#include "kernels/counter_update/counter_update.h"
#include "kernels/radius_scan/radius_scan.h"
#include "memory/checks.h"
#include "memory/pool.h"
#include "memory/selected_scan.h"
#include "memory/update_loop.h"
#include "mneme/core/error.h"
#include "mneme/core/machine.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/theory/space_fraction.h"

namespace mneme {
namespace {

// A tile of a write: its hits are sorted by location, so that each counter is updated once for all patterns
// of a block, however many there are.
constexpr int64_t kLocationsPerTile = 1024;
constexpr int64_t kPatternsPerBlock = 1 << 14;
// A chunk of a read is scanned by one thread for a block of cues. Sums of 2^16 counters of 16 bits fit in 32.
constexpr int64_t kLocationsPerChunk = 1 << 16, kLocationsPerChunkMin = 1 << 12, kCuesPerBlock = 512;
constexpr int64_t kCuesAtOnce = 1 << 10; // of which all sums are kept
constexpr int64_t kCounterMax = std::numeric_limits<int16_t>::max();

int64_t padded_bits(int64_t bits) {
  return (bits + 63) / 64 * 64;
}

int64_t address_bits(const NeuronSdmOptions& options) {
  return options.encode ? options.encode->bits() : options.bits;
}

/// Bits that a hard location compares.
int64_t compared_bits(const NeuronSdmOptions& options) {
  return options.selected_coordinates > 0 ? options.selected_coordinates : address_bits(options);
}

const NeuronSdmOptions& checked(const NeuronSdmOptions& options) {
  if (options.bits < 1 || options.hard_locations < 1 || options.data_bits < 0) {
    throw UsageError(
        fmt::format("mneme::NeuronSdm: {} hard locations of {} address bits and {} data bits "
                    "were requested.\n  The numbers of locations and address bits must be at least 1, "
                    "that of data bits at least 0.",
                    options.hard_locations, options.bits, options.data_bits));
  }
  if (options.encode) {
    require_same_size("the input of the encoding", options.encode->input_bits(), "the memory's cue",
                      options.bits);
  }
  if (options.selected_coordinates < 0 || options.selected_coordinates > address_bits(options)) {
    throw UsageError(fmt::format(
        "mneme::NeuronSdm: {} selected coordinates were requested, but addresses have {} bits.\n  "
        "Use 1 .. {} of them, or 0 to compare all bits.",
        options.selected_coordinates, address_bits(options), address_bits(options)));
  }
  if (options.selected_coordinates == 0 && options.assigned_values != AssignedValues::random) {
    throw UsageError("mneme::NeuronSdm: AssignedValues::ones has no effect without selected coordinates.\n  "
                     "Set selected_coordinates as well, or leave it out.");
  }
  if (constexpr int64_t kBitsMax = 10'000'000;
      compared_bits(options) > kBitsMax) { // of theory::space_fraction
    throw UsageError(
        fmt::format("mneme::NeuronSdm: hard locations are to compare {} bits, but at most {} can be "
                    "compared.\n  Use fewer bits, or set selected_coordinates.",
                    compared_bits(options), kBitsMax));
  }
  if (options.hamming_radius < 0 || options.hamming_radius > compared_bits(options)) {
    throw UsageError(fmt::format(
        "mneme::NeuronSdm: the Hamming radius is {}, but it must be in 0 .. {} ({}).", options.hamming_radius,
        compared_bits(options), options.selected_coordinates > 0 ? "selected coordinates" : "bits"));
  }
  NeuronSdm::require_memory(options);
  return options;
}

BitPatterns random_addresses(const NeuronSdmOptions& options) {
  BitPatterns addresses(options.hard_locations, address_bits(options));
  const Random random = Random(options.seed);
  parallel_for(addresses.count(), kLocationsPerTile, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      Random row = random.stream(static_cast<uint64_t>(k));
      std::ranges::generate(addresses[k], [&] { return row.next(); });
      addresses[k].back() &= addresses.last_word_mask();
    }
  });
  return addresses;
}

std::vector<int32_t> random_selection(const NeuronSdmOptions& options) {
  const int64_t coordinates = options.selected_coordinates;
  std::vector<int32_t> selected(static_cast<size_t>(options.hard_locations * coordinates));
  const Random random = Random(options.seed);
  parallel_for(options.hard_locations, kLocationsPerTile, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      Random row = random.stream(static_cast<uint64_t>(k));
      std::vector<int64_t> chosen = row.distinct(coordinates, address_bits(options));
      std::ranges::sort(chosen);
      int32_t* to = selected.data() + k * coordinates;
      for (const int64_t coordinate : chosen) {
        const bool one = options.assigned_values == AssignedValues::ones || (row.next() & 1U) != 0;
        *to++ = static_cast<int32_t>(2 * coordinate + (one ? 1 : 0));
      }
    }
  });
  return selected;
}

NeuronSdmOptions with_locations(NeuronSdmOptions options, const BitPatterns& addresses) {
  if (options.hard_locations != 0 && options.hard_locations != addresses.count()) {
    throw UsageError(fmt::format("mneme::NeuronSdm: hard_locations is {}, but {} addresses were given.",
                                 options.hard_locations, addresses.count()));
  }
  options.hard_locations = addresses.count();
  return options;
}

/// Hard locations, and the rule by which addresses activate them.
struct Locations {
  const NeuronSdmOptions& options;
  const BitPatterns& addresses;
  const std::vector<int32_t>& selected;
};

/// Some patterns, prepared once for the comparison with all hard locations.
struct Compared {
  const BitPatterns& patterns;
  int64_t first, count;
  std::optional<SlicedQueries> sliced; ///< with selected coordinates
  kernels::RadiusQueries listed;       ///< without
};

Compared prepared(const Locations& locations, const BitPatterns& patterns, int64_t first, int64_t count) {
  Compared compared{patterns, first, count, std::nullopt, {}};
  if (locations.options.selected_coordinates > 0) {
    compared.sliced.emplace(patterns, first, count);
  } else {
    compared.listed = kernels::prepare_radius_queries(patterns.data() + first * patterns.words(), count,
                                                      patterns.words(), locations.addresses.count());
  }
  return compared;
}

/// Locations that each pattern of a block activates among consecutive ones, as lists.
class HitLists {
public:
  /// Lists are as long as expected for random addresses, and a few standard deviations longer.
  HitLists(const Locations& locations, int64_t num_patterns, int64_t num_locations)
      : locations_(locations),
        limits_(static_cast<size_t>(num_patterns), static_cast<int32_t>(locations.options.hamming_radius)),
        counts_(limits_.size()) {
    const double expected =
        static_cast<double>(num_locations) *
        theory::space_fraction(compared_bits(locations.options), locations.options.hamming_radius);
    capacity_ = std::min<int64_t>(num_locations, std::llround(expected + 6 * std::sqrt(expected)) + 8);
    lists_ = std::make_unique_for_overwrite<int32_t[]>(static_cast<size_t>(num_patterns * capacity_));
  }

  /// Compares patterns begin_pattern to end_pattern of `compared` with locations begin to end (exclusive).
  void scan(const Compared& compared, int64_t begin_pattern, int64_t end_pattern, int64_t begin,
            int64_t end) {
    longer_.clear();
    scan(compared, begin_pattern, end_pattern, begin, end, lists_.get(), capacity_, counts_.data());
    for (int64_t p = 0; p < end_pattern - begin_pattern; ++p) {
      if (counts_[static_cast<size_t>(p)] > capacity_) { // addresses that are not random
        std::vector<int32_t>& list =
            longer_.emplace_back(static_cast<size_t>(counts_[static_cast<size_t>(p)]));
        scan(compared, begin_pattern + p, begin_pattern + p + 1, begin, end, list.data(), std::ssize(list),
             counts_.data() + p);
      }
    }
  }

  /// Calls use(pattern of the block, locations relative to `begin`) for each pattern that activates any.
  template <class Use> void for_each(int64_t count, const Use& use) const {
    auto longer = longer_.begin();
    for (int64_t p = 0; p < count; ++p) {
      const int64_t hits = counts_[static_cast<size_t>(p)];
      if (hits > capacity_) {
        use(p, std::span<const int32_t>(*longer++));
      } else if (hits > 0) {
        use(p, std::span<const int32_t>(lists_.get() + p * capacity_, static_cast<size_t>(hits)));
      }
    }
  }

private:
  void scan(const Compared& compared, int64_t begin_pattern, int64_t end_pattern, int64_t begin, int64_t end,
            int32_t* lists, int64_t capacity, int64_t* counts) const {
    if (compared.sliced) {
      const int64_t coordinates = locations_.options.selected_coordinates;
      selected_scan(*compared.sliced, begin_pattern, end_pattern,
                    {.selected = locations_.selected.data() + begin * coordinates,
                     .lists = lists,
                     .counts = counts,
                     .num_locations = end - begin,
                     .coordinates = coordinates,
                     .capacity = capacity,
                     .limit = locations_.options.hamming_radius});
      return;
    }
    const BitPatterns &patterns = compared.patterns, &addresses = locations_.addresses;
    kernels::radius_scan({.queries = patterns.data() + (compared.first + begin_pattern) * patterns.words(),
                          .stored = addresses.data() + begin * addresses.words(),
                          .limits = limits_.data(),
                          .rows = lists,
                          .distances = nullptr,
                          .counts = counts,
                          .min_distances = nullptr,
                          .num_queries = end_pattern - begin_pattern,
                          .num_stored = end - begin,
                          .words = addresses.words(),
                          .capacity = capacity,
                          .first_row = 0,
                          .prepared = &compared.listed,
                          .first_prepared = begin_pattern});
  }

  Locations locations_;
  std::vector<int32_t> limits_;
  std::vector<int64_t> counts_;
  int64_t capacity_ = 0;
  std::unique_ptr<int32_t[]> lists_;         ///< [patterns, capacity]
  std::vector<std::vector<int32_t>> longer_; ///< of patterns with more hits than that, in order
};

/// The hits of a tile, sorted by location: those of the i-th activated location are
/// patterns[offsets[i] .. offsets[i + 1]), in ascending order.
struct HitsByLocation {
  std::vector<int64_t> locations;
  std::vector<int32_t> offsets, patterns;

  void sort(const HitLists& lists, int64_t num_patterns, int64_t begin, int64_t end) {
    std::vector<int32_t> next(static_cast<size_t>(end - begin) + 1, 0);
    lists.for_each(num_patterns, [&](int64_t, std::span<const int32_t> hits) {
      for (const int32_t hit : hits) {
        ++next[static_cast<size_t>(hit) + 1];
      }
    });
    locations.clear();
    offsets.assign(1, 0);
    for (int64_t k = 0; k < end - begin; ++k) {
      if (const int32_t hits = next[static_cast<size_t>(k) + 1]; hits > 0) {
        locations.push_back(begin + k);
        offsets.push_back(offsets.back() + hits);
      }
    }
    std::partial_sum(next.begin(), next.end(), next.begin());
    patterns.resize(static_cast<size_t>(next.back()));
    lists.for_each(num_patterns, [&](int64_t pattern, std::span<const int32_t> hits) {
      for (const int32_t hit : hits) {
        patterns[static_cast<size_t>(next[static_cast<size_t>(hit)]++)] = static_cast<int32_t>(pattern);
      }
    });
  }
};

struct WriteScratch {
  HitLists lists;
  HitsByLocation hits;
};

struct ReadScratch {
  HitLists lists;
  std::vector<int32_t> sums; ///< [cues of a block, padded data bits]
};

} // namespace

NeuronSdm::NeuronSdm(const NeuronSdmOptions& options) : options_(checked(options)) {
  if (options_.selected_coordinates > 0) {
    selected_ = random_selection(options_);
  } else {
    addresses_ = random_addresses(options_);
  }
  allocate_counters();
}

double NeuronSdm::memory_bytes(const NeuronSdmOptions& options) {
  const double counters = static_cast<double>(options.data_bits == 0 ? options.bits : options.data_bits);
  const auto padded = [](double bits) { return 64 * std::ceil(bits / 64); };
  const double address = options.selected_coordinates > 0
                             ? sizeof(int32_t) * static_cast<double>(options.selected_coordinates)
                             : padded(static_cast<double>(address_bits(options))) / 8;
  return static_cast<double>(options.hard_locations) *
         (address + sizeof(int16_t) * padded(counters) + sizeof(int64_t));
}

void NeuronSdm::require_memory(const NeuronSdmOptions& options) {
  const double needed = memory_bytes(options);
  const std::optional<uint64_t> available = machine_memory().available;
  if (available && needed > static_cast<double>(*available)) {
    const double per_location = needed / static_cast<double>(options.hard_locations);
    throw UsageError(fmt::format(
        "mneme::NeuronSdm: {} hard locations with addresses of {} bits and {} counters need {} of memory, "
        "but "
        "{} is available.\n  Use at most {:.0f} hard locations of this size, or a machine with more memory.",
        options.hard_locations, address_bits(options),
        options.data_bits == 0 ? options.bits : options.data_bits, memory_text(needed),
        memory_text(static_cast<double>(*available)),
        std::floor(static_cast<double>(*available) / per_location)));
  }
}

NeuronSdm::NeuronSdm(const NeuronSdmOptions& options, BitPatterns addresses)
    : options_(checked(with_locations(options, addresses))), addresses_(std::move(addresses)) {
  if (options_.selected_coordinates > 0) {
    throw UsageError("mneme::NeuronSdm: given addresses are compared in all bits, but selected coordinates "
                     "were requested.\n  Set selected_coordinates to 0, or leave out the addresses.");
  }
  require_same_size("an address", addresses_.bits(), "the memory", address_bits(options_));
  allocate_counters();
}

NeuronSdm::NeuronSdm(NeuronSdm&& other) noexcept {
  *this = std::move(other);
}

NeuronSdm& NeuronSdm::operator=(NeuronSdm&& other) noexcept {
  options_ = std::exchange(other.options_, {});
  addresses_ = std::move(other.addresses_);
  selected_ = std::exchange(other.selected_, {});
  memory_ = std::move(other.memory_);
  counters_ = std::exchange(other.counters_, nullptr);
  writes_ = std::exchange(other.writes_, {});
  saturations_ = std::exchange(other.saturations_, 0);
  max_writes_ = std::exchange(other.max_writes_, 0);
  unwritten_ = std::exchange(other.unwritten_, 0);
  return *this;
}

void NeuronSdm::allocate_counters() {
  options_.data_bits = options_.data_bits == 0 ? options_.bits : options_.data_bits;
  // calloc returns zero pages of the system, so counters of locations that are never activated use no memory.
  // Rows begin at cache lines, and large memories at a huge page.
  constexpr size_t kHugePage = size_t{2} << 20, kCacheLine = 64;
  const size_t bytes =
      static_cast<size_t>(options_.hard_locations * padded_bits(options_.data_bits)) * sizeof(int16_t);
  const size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kCacheLine;
  size_t left = bytes + alignment;
  memory_.reset(std::calloc(left, 1));
  if (!memory_) {
    throw UsageError(
        fmt::format("mneme::NeuronSdm: {} hard locations with {} counters need {} of memory, which "
                    "cannot be allocated.\n  Use fewer hard locations, or a machine with more memory.",
                    options_.hard_locations, options_.data_bits, memory_text(static_cast<double>(bytes))));
  }
  void* counters = memory_.get();
  counters_ = static_cast<int16_t*>(std::align(alignment, bytes, counters, left));
  if (alignment == kHugePage) {
    prefer_huge_pages(counters_, bytes);
  }
  writes_.resize(static_cast<size_t>(options_.hard_locations));
}

void NeuronSdm::Free::operator()(void* memory) const {
  std::free(memory);
}

const int16_t* NeuronSdm::counters_of(int64_t location) const {
  return counters_ + location * padded_bits(options_.data_bits);
}

int64_t NeuronSdm::write(const BitPatterns& patterns) {
  return write(patterns, patterns);
}

int64_t NeuronSdm::write(const BitPatterns& addresses, const BitPatterns& data) {
  require_same_size("an address to write at", addresses.bits(), "the memory's address", options_.bits);
  require_same_size("a pattern to write", data.bits(), "the memory's data", options_.data_bits);
  if (addresses.count() != data.count()) {
    throw UsageError(fmt::format("mneme::NeuronSdm: {} addresses to write at but {} patterns to write.",
                                 addresses.count(), data.count()));
  }
  return add(encoded(addresses), data, Sign::plus);
}

void NeuronSdm::unwrite(const BitPatterns& patterns) {
  require_same_size("a pattern to subtract", patterns.bits(), "the memory's address", options_.bits);
  require_same_size("a pattern to subtract", patterns.bits(), "the memory's data", options_.data_bits);
  const BitPatterns compared = encoded(patterns);
  check_removable(compared);
  add(compared, patterns, Sign::minus);
}

BitPatterns NeuronSdm::encoded(const BitPatterns& addresses) const {
  return options_.encode ? options_.encode->encode(addresses) : addresses;
}

void NeuronSdm::check_removable(const BitPatterns& patterns) const {
  if (saturations_ > 0) {
    throw UsageError(fmt::format("mneme::NeuronSdm: {} additions to counters were lost to saturation, so a "
                                 "write cannot be reversed exactly.\n  Write the remaining patterns to a new "
                                 "memory.",
                                 saturations_));
  }
  std::vector<int64_t> hits(static_cast<size_t>(options_.hard_locations));
  const Locations all{options_, addresses_, selected_};
  const int64_t block = std::min(kPatternsPerBlock, patterns.count());
  for (int64_t first = 0; first < patterns.count(); first += block) {
    const int64_t count = std::min(block, patterns.count() - first);
    const Compared compared = prepared(all, patterns, first, count);
    Pool<HitLists> scratch;
    parallel_for(options_.hard_locations, kLocationsPerTile, [&](int64_t begin, int64_t end) {
      scratch.with([&] { return HitLists(all, block, kLocationsPerTile); },
                   [&](HitLists& lists) {
                     lists.scan(compared, 0, count, begin, end);
                     lists.for_each(count, [&](int64_t, std::span<const int32_t> locations) {
                       for (const int32_t location : locations) {
                         ++hits[static_cast<size_t>(begin + location)];
                       }
                     });
                   });
    });
  }
  for (size_t location = 0; location < hits.size(); ++location) {
    if (hits[location] > writes_[location]) {
      throw UsageError(
          fmt::format("mneme::NeuronSdm: {} patterns are to be subtracted from hard location {}, "
                      "which has {} writes.\n  Subtract only patterns that were written.",
                      hits[location], location, writes_[location]));
    }
  }
}

/// `addresses` are those after the encoding. Returns the number of them that activated no location.
int64_t NeuronSdm::add(const BitPatterns& addresses, const BitPatterns& data, Sign sign) {
  const Locations all{options_, addresses_, selected_};
  const int64_t block = std::min(kPatternsPerBlock, addresses.count());
  const int16_t one = sign == Sign::plus ? 1 : -1;
  // Subtracting a pattern that was never written increases a magnitude, although it reduces the number of
  // writes by 1: the magnitude of a counter is at most the writes of its location + 2 * all patterns
  // subtracted.
  unwritten_ += sign == Sign::minus ? data.count() : 0;
  std::mutex merge_mutex;
  std::vector<uint8_t> activated(static_cast<size_t>(data.count())); // 1: at least one location
  Pool<WriteScratch> scratch;
  const auto write_tile = [&](const Compared& compared, int64_t begin, int64_t end, WriteScratch& buffers) {
    buffers.lists.scan(compared, 0, compared.count, begin, end);
    const HitsByLocation& hits = buffers.hits;
    buffers.hits.sort(buffers.lists, compared.count, begin, end);
    buffers.lists.for_each(compared.count, [&](int64_t pattern, std::span<const int32_t> locations) {
      if (!locations.empty()) { // several tiles may set the same flag
        std::atomic_ref(activated[static_cast<size_t>(compared.first + pattern)])
            .store(1, std::memory_order_relaxed);
      }
    });
    int64_t magnitude = 0, max_writes = 0;
    for (size_t i = 0; i < hits.locations.size(); ++i) {
      int64_t& writes = writes_[static_cast<size_t>(hits.locations[i])];
      const int64_t added = hits.offsets[i + 1] - hits.offsets[i];
      magnitude = std::max(magnitude, writes + 2 * unwritten_ + added);
      writes += one * added;
      max_writes = std::max(max_writes, writes);
    }
    const int64_t clipped = kernels::counter_update({.counters = counters_,
                                                     .patterns = data.data() + compared.first * data.words(),
                                                     .locations = hits.locations.data(),
                                                     .offsets = hits.offsets.data(),
                                                     .written = hits.patterns.data(),
                                                     .num_locations = std::ssize(hits.locations),
                                                     .words = data.words(),
                                                     .bits = data.bits(),
                                                     .sign = one,
                                                     .saturates = magnitude > kCounterMax});
    const std::lock_guard lock(merge_mutex);
    saturations_ += clipped;
    max_writes_ = std::max(max_writes_, max_writes);
  };
  for (int64_t first = 0; first < data.count(); first += block) {
    const Compared compared = prepared(all, addresses, first, std::min(block, data.count() - first));
    // Each tile has its own locations: no counter is shared, and patterns are added to it in order.
    parallel_update(options_.hard_locations, kLocationsPerTile, [&](int64_t begin, int64_t end) {
      scratch.with(
          [&] {
            return WriteScratch{HitLists(all, block, kLocationsPerTile), {}};
          },
          [&](WriteScratch& buffers) { write_tile(compared, begin, end, buffers); });
    });
  }
  return std::ranges::count(activated, 0);
}

BitPatterns NeuronSdm::read(const BitPatterns& cues, std::span<int64_t> num_activated) const {
  const Locations all{options_, addresses_, selected_};
  const int64_t size = padded_bits(options_.data_bits);
  const int64_t block_size = std::min(kCuesPerBlock, cues.count());
  const int64_t chunk_size =
      std::clamp(options_.hard_locations / 16 / kLocationsPerChunkMin * kLocationsPerChunkMin,
                 kLocationsPerChunkMin, kLocationsPerChunk);
  const int64_t chunks = (options_.hard_locations + chunk_size - 1) / chunk_size;
  const int64_t magnitude = std::min(max_writes_ + 2 * unwritten_, kCounterMax + 1);
  BitPatterns readout(cues.count(), options_.data_bits);
  Pool<ReadScratch> scratch;
  for (int64_t first_cue = 0; first_cue < cues.count(); first_cue += kCuesAtOnce) {
    const int64_t num_cues = std::min(kCuesAtOnce, cues.count() - first_cue);
    const int64_t blocks = (num_cues + block_size - 1) / block_size;
    const Compared compared = prepared(all, cues, first_cue, num_cues);
    std::vector<int64_t> sums(static_cast<size_t>(num_cues * size), 0);
    std::vector<std::mutex> block_mutex(static_cast<size_t>(blocks));
    // Integer sums do not depend on the order in which chunks finish.
    const auto read_chunk = [&](int64_t block, int64_t chunk, ReadScratch& buffers) {
      const int64_t first = block * block_size, count = std::min(block_size, num_cues - first);
      const int64_t begin = chunk * chunk_size, end = std::min(options_.hard_locations, begin + chunk_size);
      buffers.lists.scan(compared, first, first + count, begin, end);
      std::ranges::fill(buffers.sums, 0);
      buffers.lists.for_each(count, [&](int64_t cue, std::span<const int32_t> locations) {
        kernels::counter_sum({.counters = counters_of(begin),
                              .rows = locations.data(),
                              .sums = buffers.sums.data() + cue * size,
                              .num_rows = std::ssize(locations),
                              .size = size,
                              .magnitude = magnitude});
      });
      const std::lock_guard lock(block_mutex[static_cast<size_t>(block)]);
      buffers.lists.for_each(count, [&](int64_t cue, std::span<const int32_t> locations) {
        num_activated[static_cast<size_t>(first_cue + first + cue)] += std::ssize(locations);
        const int32_t* from = buffers.sums.data() + cue * size;
        int64_t* to = sums.data() + (first + cue) * size;
        for (int64_t b = 0; b < size; ++b) {
          to[b] += from[b];
        }
      });
    };
    parallel_for(blocks * chunks, 1, [&](int64_t index, int64_t) {
      scratch.with(
          [&] {
            return ReadScratch{HitLists(all, block_size, chunk_size),
                               std::vector<int32_t>(static_cast<size_t>(block_size * size))};
          },
          [&](ReadScratch& buffers) { read_chunk(index / chunks, index % chunks, buffers); });
    });
    for (int64_t cue = 0; cue < num_cues; ++cue) {
      for (int64_t b = 0; b < options_.data_bits; ++b) {
        readout.set(first_cue + cue, b, sums[static_cast<size_t>(cue * size + b)] > 0);
      }
    }
  }
  return readout;
}

Recall<BitPatterns> NeuronSdm::recall(const BitPatterns& cues, const UpdateOptions& update) const {
  require_same_size("a cue", cues.bits(), "the memory's address", options_.bits);
  if (update.empty_read == EmptyRead::mean_of_values) {
    throw UsageError("mneme::NeuronSdm: EmptyRead::mean_of_values is not supported, because counters do not "
                     "keep the single patterns.\n  Use EmptyRead::keep_query or EmptyRead::zeros.");
  }
  return run_update_steps(
      cues, options_.data_bits, update,
      [&](const BitPatterns& queries, std::span<const int64_t>, int64_t, BitPatterns& readout,
          std::span<int64_t> num_activated) {
        step_distinct_queries(
            queries, readout, num_activated,
            [&](const BitPatterns& distinct, BitPatterns& distinct_readout, std::span<int64_t> activated) {
              distinct_readout =
                  read(options_.encode ? options_.encode->encode(distinct) : distinct, activated);
            });
        for (int64_t q = 0; q < queries.count(); ++q) {
          if (num_activated[static_cast<size_t>(q)] == 0 && update.empty_read == EmptyRead::keep_query &&
              queries.bits() == readout.bits()) {
            std::ranges::copy(queries[q], readout[q].begin());
          }
        }
      },
      [](BitPatterns&) {});
}

std::vector<int16_t> NeuronSdm::counters(int64_t location) const {
  require_location(location);
  const int16_t* begin = counters_of(location);
  return {begin, begin + options_.data_bits};
}

void NeuronSdm::reject_location(int64_t location) const {
  throw UsageError(fmt::format("mneme::NeuronSdm: hard location {} was requested, but there are {}.\n  "
                               "Indices start at 0.",
                               location, options_.hard_locations));
}

void NeuronSdm::restore(int64_t location, std::span<const int16_t> counters, int64_t writes) {
  if (location < 0 || location >= options_.hard_locations || std::ssize(counters) != options_.data_bits) {
    throw UsageError(
        fmt::format("mneme::NeuronSdm: {} counters were given for hard location {}, but there are "
                    "{} locations of {} counters.",
                    counters.size(), location, options_.hard_locations, options_.data_bits));
  }
  const auto exceeds = std::ranges::find_if(counters, [&](int16_t c) { return std::abs(c) > writes; });
  if (writes < 0 || exceeds != counters.end()) {
    throw UsageError(
        fmt::format("mneme::NeuronSdm: hard location {} cannot have {} writes{}.", location, writes,
                    exceeds == counters.end() ? "" : fmt::format(" and the counter {}", *exceeds)));
  }
  std::ranges::copy(counters, counters_ + location * padded_bits(options_.data_bits));
  writes_[static_cast<size_t>(location)] = writes;
  max_writes_ = std::max(max_writes_, writes);
}

} // namespace mneme
