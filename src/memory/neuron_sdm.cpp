// SPDX-License-Identifier: MIT

#include "mneme/memory/neuron_sdm.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <new>

#include <fmt/format.h>

#include "kernels/hamming/hamming.h"
#include "memory/checks.h"
#include "memory/update_loop.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"

namespace mneme {
namespace {

// The addresses of one tile stay in the L2 cache while all patterns of a block are compared with them.
constexpr int64_t kLocationsPerTile = 1024;
constexpr int64_t kPatternsPerBlock = 64;
constexpr int64_t kLocationsPerChunk = 1 << 17; // unit of work of one thread, for one block of cues

int64_t address_bits(const NeuronSdmOptions& options) {
  return options.encode ? options.encode->bits() : options.bits;
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
  if (options.hamming_radius < 0 || options.hamming_radius > address_bits(options)) {
    throw UsageError(
        fmt::format("mneme::NeuronSdm: the Hamming radius is {}, but it must be in 0 .. {} (bits).",
                    options.hamming_radius, address_bits(options)));
  }
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

NeuronSdmOptions with_locations(NeuronSdmOptions options, const BitPatterns& addresses) {
  if (options.hard_locations != 0 && options.hard_locations != addresses.count()) {
    throw UsageError(fmt::format("mneme::NeuronSdm: hard_locations is {}, but {} addresses were given.",
                                 options.hard_locations, addresses.count()));
  }
  options.hard_locations = addresses.count();
  return options;
}

/// Adds `pattern` (-1 or +1 per bit) to the counters of a location, with saturation; returns the number of
/// additions that were clipped.
int64_t add_saturating(const int16_t* pattern, int16_t* counters, int64_t bits) {
  int64_t clipped = 0;
  for (int64_t b = 0; b < bits; ++b) {
    const int sum = counters[b] + pattern[b];
    const int saturated =
        std::clamp<int>(sum, std::numeric_limits<int16_t>::min(), std::numeric_limits<int16_t>::max());
    clipped += saturated != sum ? 1 : 0;
    counters[b] = static_cast<int16_t>(saturated);
  }
  return clipped;
}

void add(const int16_t* pattern, int16_t* counters, int64_t bits) {
  for (int64_t b = 0; b < bits; ++b) {
    counters[b] = static_cast<int16_t>(counters[b] + pattern[b]);
  }
}

/// Calls hit(pattern, location) for every pattern of the block and every location of the tile that it
/// activates, with patterns in order.
template <class Hit>
void for_each_hit(const BitPatterns& patterns, int64_t first_pattern, int64_t num_patterns,
                  const BitPatterns& addresses, int64_t first_location, int64_t num_locations, int64_t radius,
                  std::vector<int32_t>& distances, Hit hit) {
  distances.resize(static_cast<size_t>(num_patterns * num_locations));
  const auto limit = static_cast<int32_t>(radius);
  kernels::hamming({.queries = patterns.data() + first_pattern * patterns.words(),
                    .stored = addresses.data() + first_location * addresses.words(),
                    .distances = distances.data(),
                    .num_queries = num_patterns,
                    .num_stored = num_locations,
                    .words = addresses.words()});
  for (int64_t p = 0; p < num_patterns; ++p) {
    const int32_t* row = distances.data() + p * num_locations;
    // Hits are rare, so 16 distances are tested together (vectorised) before they are tested one by one.
    constexpr int64_t kGroup = 16;
    int64_t k = 0;
    for (; k + kGroup <= num_locations; k += kGroup) {
      int any = 0;
      for (int64_t i = 0; i < kGroup; ++i) {
        any |= row[k + i] <= limit ? 1 : 0;
      }
      for (int64_t i = k; any != 0 && i < k + kGroup; ++i) {
        if (row[i] <= limit) {
          hit(first_pattern + p, first_location + i);
        }
      }
    }
    for (; k < num_locations; ++k) {
      if (row[k] <= limit) {
        hit(first_pattern + p, first_location + k);
      }
    }
  }
}

} // namespace

NeuronSdm::NeuronSdm(const NeuronSdmOptions& options)
    : NeuronSdm(options, random_addresses(checked(options))) {}

NeuronSdm::NeuronSdm(const NeuronSdmOptions& options, BitPatterns addresses)
    : options_(checked(with_locations(options, addresses))), addresses_(std::move(addresses)) {
  require_same_size("an address", addresses_.bits(), "the memory", address_bits(options_));
  options_.data_bits = options_.data_bits == 0 ? options_.bits : options_.data_bits;
  if (options_.hard_locations > std::numeric_limits<int64_t>::max() / 4 / options_.data_bits) {
    throw UsageError(
        fmt::format("mneme::NeuronSdm: {} hard locations of {} counters each are too large to address.",
                    options_.hard_locations, options_.data_bits));
  }
  // calloc returns zero pages of the system, so counters of locations that are never activated use no memory.
  counters_.reset(static_cast<int16_t*>(
      std::calloc(static_cast<size_t>(options_.hard_locations * options_.data_bits), sizeof(int16_t))));
  if (!counters_) {
    throw std::bad_alloc();
  }
  writes_.resize(static_cast<size_t>(options_.hard_locations));
}

void NeuronSdm::Free::operator()(int16_t* counters) const {
  std::free(counters);
}

void NeuronSdm::write(const BitPatterns& patterns) {
  write(patterns, patterns);
}

void NeuronSdm::write(const BitPatterns& addresses, const BitPatterns& data) {
  require_same_size("an address to write at", addresses.bits(), "the memory's address", options_.bits);
  require_same_size("a pattern to write", data.bits(), "the memory's data", options_.data_bits);
  if (addresses.count() != data.count()) {
    throw UsageError(fmt::format("mneme::NeuronSdm: {} addresses to write at but {} patterns to write.",
                                 addresses.count(), data.count()));
  }
  add(encoded(addresses), data, Sign::plus);
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

void NeuronSdm::check_removable(const BitPatterns& compared) const {
  if (saturations_ > 0) {
    throw UsageError(fmt::format("mneme::NeuronSdm: {} additions to counters were lost to saturation, so a "
                                 "write cannot be reversed exactly.\n  Write the remaining patterns to a new "
                                 "memory.",
                                 saturations_));
  }
  std::vector<int64_t> hits(static_cast<size_t>(options_.hard_locations));
  parallel_for(options_.hard_locations, kLocationsPerTile, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> distances;
    for (int64_t first = 0; first < compared.count(); first += kPatternsPerBlock) {
      for_each_hit(compared, first, std::min(kPatternsPerBlock, compared.count() - first), addresses_, begin,
                   end - begin, options_.hamming_radius, distances,
                   [&](int64_t, int64_t location) { ++hits[static_cast<size_t>(location)]; });
    }
  });
  for (size_t location = 0; location < hits.size(); ++location) {
    if (hits[location] > writes_[location]) {
      throw UsageError(
          fmt::format("mneme::NeuronSdm: {} patterns are to be subtracted from hard location {}, "
                      "which has {} writes.\n  Subtract only patterns that were written.",
                      hits[location], location, writes_[location]));
    }
  }
}

/// `compared` are the addresses after the encoding.
void NeuronSdm::add(const BitPatterns& compared, const BitPatterns& data, Sign sign) {
  const int64_t bits = options_.data_bits;
  const int16_t one = sign == Sign::plus ? 1 : -1;
  std::atomic<int64_t> clipped{0};
  for (int64_t first = 0; first < data.count(); first += kPatternsPerBlock) {
    const int64_t count = std::min(kPatternsPerBlock, data.count() - first);
    std::vector<int16_t> bipolar(static_cast<size_t>(count * bits));
    for (int64_t p = 0; p < count; ++p) {
      for (int64_t b = 0; b < bits; ++b) {
        bipolar[static_cast<size_t>(p * bits + b)] =
            static_cast<int16_t>(data.get(first + p, b) ? one : -one);
      }
    }
    // Each thread owns its locations: no counter is shared, and patterns are added to it in order.
    parallel_for(options_.hard_locations, kLocationsPerTile, [&](int64_t begin, int64_t end) {
      std::vector<int32_t> distances;
      for_each_hit(compared, first, count, addresses_, begin, end - begin, options_.hamming_radius, distances,
                   [&](int64_t pattern, int64_t location) {
                     const int16_t* from = bipolar.data() + (pattern - first) * bits;
                     int16_t* to = counters_.get() + location * bits;
                     int64_t& writes = writes_[static_cast<size_t>(location)];
                     const bool is_safe = writes < std::numeric_limits<int16_t>::max();
                     writes += one;
                     if (is_safe) {
                       mneme::add(from, to, bits); // cannot overflow: no counter exceeds the number of writes
                     } else {
                       clipped += add_saturating(from, to, bits);
                     }
                   });
    });
  }
  saturations_ += clipped;
}

BitPatterns NeuronSdm::read(const BitPatterns& cues, std::span<int64_t> num_activated) const {
  const int64_t bits = options_.data_bits;
  std::vector<int64_t> sums(static_cast<size_t>(cues.count() * bits), 0);
  const int64_t blocks = (cues.count() + kPatternsPerBlock - 1) / kPatternsPerBlock;
  const int64_t chunks = (options_.hard_locations + kLocationsPerChunk - 1) / kLocationsPerChunk;
  std::vector<std::mutex> block_mutex(static_cast<size_t>(blocks));
  // Integer sums do not depend on the order in which chunks finish.
  parallel_for(blocks * chunks, 1, [&](int64_t index, int64_t) {
    const int64_t block = index / chunks, chunk = index % chunks;
    const int64_t first = block * kPatternsPerBlock,
                  count = std::min(kPatternsPerBlock, cues.count() - first);
    const int64_t end = std::min(options_.hard_locations, (chunk + 1) * kLocationsPerChunk);
    // 32-bit sums of 16-bit counters cannot overflow within 2^16 activated locations; they are added to the
    // 64-bit sums of the chunk that often.
    std::vector<int64_t> chunk_sums(static_cast<size_t>(count * bits), 0),
        chunk_activated(static_cast<size_t>(count), 0);
    std::vector<int32_t> distances, sums32(static_cast<size_t>(count * bits), 0);
    const auto flush = [&](int64_t cue) {
      for (int64_t b = 0; b < bits; ++b) {
        chunk_sums[static_cast<size_t>(cue * bits + b)] += sums32[static_cast<size_t>(cue * bits + b)];
        sums32[static_cast<size_t>(cue * bits + b)] = 0;
      }
    };
    for (int64_t tile = chunk * kLocationsPerChunk; tile < end; tile += kLocationsPerTile) {
      for_each_hit(cues, first, count, addresses_, tile, std::min(kLocationsPerTile, end - tile),
                   options_.hamming_radius, distances, [&](int64_t cue, int64_t location) {
                     const int16_t* from = counters_.get() + location * bits;
                     int32_t* to = sums32.data() + (cue - first) * bits;
                     for (int64_t b = 0; b < bits; ++b) {
                       to[b] += from[b];
                     }
                     if (++chunk_activated[static_cast<size_t>(cue - first)] % (1 << 16) == 0) {
                       flush(cue - first);
                     }
                   });
    }
    for (int64_t cue = 0; cue < count; ++cue) {
      flush(cue);
    }
    const std::lock_guard lock(block_mutex[static_cast<size_t>(block)]);
    for (size_t i = 0; i < chunk_sums.size(); ++i) {
      sums[static_cast<size_t>(first * bits) + i] += chunk_sums[i];
    }
    for (size_t i = 0; i < chunk_activated.size(); ++i) {
      num_activated[static_cast<size_t>(first) + i] += chunk_activated[i];
    }
  });
  BitPatterns readout(cues.count(), bits);
  for (int64_t cue = 0; cue < cues.count(); ++cue) {
    for (int64_t b = 0; b < bits; ++b) {
      readout.set(cue, b, sums[static_cast<size_t>(cue * bits + b)] > 0);
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
  const int16_t* begin = counters_.get() + location * options_.data_bits;
  return {begin, begin + options_.data_bits};
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
  std::ranges::copy(counters, counters_.get() + location * options_.data_bits);
  writes_[static_cast<size_t>(location)] = writes;
}

} // namespace mneme
