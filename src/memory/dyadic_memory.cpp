// SPDX-License-Identifier: MIT

#include "mneme/memory/dyadic_memory.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "memory/checks.h"
#include "memory/update_loop.h"
#include "mneme/core/error.h"
#include "mneme/core/machine.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

constexpr int64_t kCounterMax = std::numeric_limits<uint8_t>::max();
/// Rows of counters that end at the same bit are updated by one thread, in the order of the patterns.
constexpr int64_t kBitsPerBlock = 8;
constexpr int64_t kCuesPerBlock = 4;

int64_t padded_bits(int64_t bits) {
  return (bits + 63) / 64 * 64;
}

/// Number of pairs i < j with j < bits.
int64_t pairs(int64_t bits) {
  return bits * (bits - 1) / 2;
}

int64_t data_bits_of(const DyadicMemoryOptions& options) {
  return options.data_bits == 0 ? options.bits : options.data_bits;
}

void require_bits(const DyadicMemoryOptions& options) {
  constexpr int64_t kBitsMax = 1 << 20; // keeps the number of counters within 63 bits
  const int64_t data_bits = data_bits_of(options);
  if (options.bits < 2 || options.bits > kBitsMax || data_bits < 1 || data_bits > kBitsMax) {
    throw UsageError(
        fmt::format("mneme::DyadicMemory: {} address bits and {} data bits were requested.\n  Use "
                    "2 .. {} address bits and 1 .. {} data bits.",
                    options.bits, data_bits, kBitsMax, kBitsMax));
  }
}

DyadicMemoryOptions checked(DyadicMemoryOptions options) {
  options.data_bits = data_bits_of(options);
  require_bits(options);
  if (options.ones < 1 || options.ones > options.data_bits) {
    throw UsageError(fmt::format("mneme::DyadicMemory: a readout of {} bits cannot have {} ones.\n  Use 1 .. "
                                 "{}, such as the number of "
                                 "ones of the stored data.",
                                 options.data_bits, options.ones, options.data_bits));
  }
  const double needed = DyadicMemory::memory_bytes(options);
  if (const auto available = machine_memory().available;
      available && needed > static_cast<double>(*available)) {
    throw UsageError(fmt::format(
        "mneme::DyadicMemory: the counters of all pairs of {} address bits, with {} data bits each, need {} "
        "of "
        "memory, but {} is available.\n  Use fewer bits, or a machine with more memory.",
        options.bits, options.data_bits, memory_text(needed), memory_text(static_cast<double>(*available))));
  }
  return options;
}

/// Indices of the ones of each pattern, ascending.
class Ones {
public:
  explicit Ones(const BitPatterns& patterns) {
    for (int64_t i = 0; i < patterns.count(); ++i) {
      for (int64_t w = 0; w < patterns.words(); ++w) {
        for (uint64_t left = patterns[i][static_cast<size_t>(w)]; left != 0; left &= left - 1) {
          indices_.push_back(64 * w + std::countr_zero(left));
        }
      }
      ends_.push_back(indices_.size());
    }
  }

  int64_t count() const { return std::ssize(ends_); }
  std::span<const int64_t> operator[](int64_t pattern) const {
    const auto i = static_cast<size_t>(pattern);
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::span(indices_).subspan(begin, ends_[i] - begin);
  }

private:
  std::vector<int64_t> indices_;
  std::vector<size_t> ends_;
};

/// Calls visit(pattern, counter) for every counter that the patterns address, in parallel: each counter by
/// one thread, in the order of the patterns.
template <class Visit>
void visit_counters(const Ones& addresses, const Ones& data, int64_t bits, int64_t row_size,
                    uint8_t* counters, const Visit& visit) {
  parallel_update(bits, kBitsPerBlock, [&](int64_t begin, int64_t end) {
    for (int64_t pattern = 0; pattern < addresses.count(); ++pattern) {
      const std::span<const int64_t> ones = addresses[pattern];
      for (auto j = std::ranges::lower_bound(ones, begin); j != ones.end() && *j < end; ++j) {
        for (auto i = ones.begin(); i != j; ++i) {
          uint8_t* row = counters + (pairs(*j) + *i) * row_size;
          for (const int64_t bit : data[pattern]) {
            visit(pattern, row[bit]);
          }
        }
      }
    }
  });
}

} // namespace

DyadicMemory::DyadicMemory(const DyadicMemoryOptions& options) : options_(checked(options)) {
  // calloc returns zero pages of the system, so counters of pairs that are never written use no memory.
  constexpr size_t kCacheLine = 64;
  const auto bytes = static_cast<size_t>(pairs(options_.bits) * padded_bits(options_.data_bits));
  size_t left = bytes + kCacheLine;
  memory_.reset(std::calloc(left, 1));
  if (!memory_) {
    throw UsageError(
        fmt::format("mneme::DyadicMemory: the counters of {} address bits and {} data bits need {} "
                    "of memory, which cannot be allocated.\n  Use fewer bits, or a machine with "
                    "more memory.",
                    options_.bits, options_.data_bits, memory_text(static_cast<double>(bytes))));
  }
  void* counters = memory_.get();
  counters_ = static_cast<uint8_t*>(std::align(kCacheLine, bytes, counters, left));
}

DyadicMemory::DyadicMemory(DyadicMemory&& other) noexcept {
  *this = std::move(other);
}

DyadicMemory& DyadicMemory::operator=(DyadicMemory&& other) noexcept {
  options_ = std::exchange(other.options_, {});
  memory_ = std::move(other.memory_);
  counters_ = std::exchange(other.counters_, nullptr);
  saturations_ = std::exchange(other.saturations_, 0);
  return *this;
}

void DyadicMemory::Free::operator()(void* memory) const {
  std::free(memory);
}

double DyadicMemory::memory_bytes(const DyadicMemoryOptions& options) {
  require_bits(options);
  return static_cast<double>(pairs(options.bits)) * static_cast<double>(padded_bits(data_bits_of(options)));
}

const uint8_t* DyadicMemory::row(int64_t i, int64_t j) const {
  return counters_ + (pairs(j) + i) * padded_bits(options_.data_bits);
}

int64_t DyadicMemory::counter(int64_t i, int64_t j, int64_t data_bit) const {
  if (i < 0 || i >= j || j >= options_.bits || data_bit < 0 || data_bit >= options_.data_bits) {
    throw UsageError(
        fmt::format("mneme::DyadicMemory: there is no counter of data bit {} at the pair of bits {} and {}.\n"
                    "  The first bit of a pair is less than the second, which is less than {}; there are {} "
                    "data bits.",
                    data_bit, i, j, options_.bits, options_.data_bits));
  }
  return row(i, j)[data_bit];
}

void DyadicMemory::require_sizes(const BitPatterns& addresses, const BitPatterns& data) const {
  require_same_size("an address to write at", addresses.bits(), "the memory's address", options_.bits);
  require_same_size("a pattern to write", data.bits(), "the memory's data", options_.data_bits);
  if (addresses.count() != data.count()) {
    throw UsageError(fmt::format("mneme::DyadicMemory: there are {} addresses but {} patterns of data.",
                                 addresses.count(), data.count()));
  }
  for (int64_t i = 0; i < addresses.count(); ++i) {
    int64_t ones = 0;
    for (const uint64_t word : addresses[i]) {
      ones += std::popcount(word);
    }
    if (ones < 2) {
      throw UsageError(
          fmt::format("mneme::DyadicMemory: the address of pattern {} has {} ones.\n  An address "
                      "needs at least 2, because it activates the pairs of its ones.",
                      i, ones));
    }
  }
}

void DyadicMemory::write(const BitPatterns& addresses, const BitPatterns& data) {
  require_sizes(addresses, data);
  std::atomic<int64_t> saturations = 0;
  visit_counters(Ones(addresses), Ones(data), options_.bits, padded_bits(options_.data_bits), counters_,
                 [&](int64_t, uint8_t& counter) {
                   if (counter == kCounterMax) {
                     saturations.fetch_add(1, std::memory_order_relaxed);
                   } else {
                     ++counter;
                   }
                 });
  saturations_ += saturations;
}

void DyadicMemory::unwrite(const BitPatterns& addresses, const BitPatterns& data) {
  require_sizes(addresses, data);
  if (saturations_ > 0) {
    throw UsageError(
        fmt::format("mneme::DyadicMemory: {} additions to counters were lost to saturation, so a "
                    "write cannot be reversed exactly.\n  Write the remaining patterns to a new "
                    "memory.",
                    saturations_));
  }
  const Ones of_addresses(addresses), of_data(data);
  const auto visit = [&](const auto& use) {
    visit_counters(of_addresses, of_data, options_.bits, padded_bits(options_.data_bits), counters_, use);
  };
  // Counters are subtracted modulo 256, which adding them again reverses.
  constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  std::atomic<int64_t> first_unwritten = kNone;
  visit([&](int64_t pattern, uint8_t& counter) {
    if (counter == 0) {
      int64_t before = first_unwritten;
      while (pattern < before && !first_unwritten.compare_exchange_weak(before, pattern)) {
      }
    }
    --counter;
  });
  if (first_unwritten != kNone) {
    visit([](int64_t, uint8_t& counter) { ++counter; });
    throw UsageError(fmt::format("mneme::DyadicMemory: pattern {} of those to be subtracted was not written, "
                                 "or not as often.\n  Subtract only patterns that were written.",
                                 first_unwritten.load()));
  }
}

BitPatterns DyadicMemory::read(const BitPatterns& cues, std::span<int64_t> num_activated,
                               EmptyRead empty_read) const {
  const int64_t size = padded_bits(options_.data_bits);
  const Ones ones_of(cues);
  BitPatterns readout(cues.count(), options_.data_bits);
  parallel_for(cues.count(), kCuesPerBlock, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> sums(static_cast<size_t>(size)), ordered;
    std::vector<uint32_t> of_bit(static_cast<size_t>(size)); // of fewer than 2^20 rows of 8 bits
    for (int64_t cue = begin; cue < end; ++cue) {
      const std::span<const int64_t> ones = ones_of[cue];
      num_activated[static_cast<size_t>(cue)] = pairs(std::ssize(ones));
      std::ranges::fill(sums, 0);
      for (auto j = ones.begin(); j != ones.end(); ++j) {
        std::ranges::fill(of_bit, 0U);
        for (auto i = ones.begin(); i != j; ++i) {
          const uint8_t* counters = row(*i, *j);
          for (size_t b = 0; b < of_bit.size(); ++b) {
            of_bit[b] += counters[b];
          }
        }
        std::ranges::transform(sums, of_bit, sums.begin(), std::plus<>());
      }
      ordered.assign(sums.begin(), sums.begin() + options_.data_bits);
      const auto last = ordered.begin() + options_.ones - 1;
      std::ranges::nth_element(ordered, last, std::greater<>());
      const int64_t threshold = std::max<int64_t>(*last, 1);
      bool is_empty = true;
      for (int64_t b = 0; b < options_.data_bits; ++b) {
        const bool one = sums[static_cast<size_t>(b)] >= threshold;
        readout.set(cue, b, one);
        is_empty = is_empty && !one;
      }
      if (is_empty && empty_read == EmptyRead::keep_query && cues.bits() == readout.bits()) {
        std::ranges::copy(cues[cue], readout[cue].begin());
      }
    }
  });
  return readout;
}

Recall<BitPatterns> DyadicMemory::recall(const BitPatterns& cues, const UpdateOptions& update) const {
  require_same_size("a cue", cues.bits(), "the memory's address", options_.bits);
  if (update.empty_read == EmptyRead::mean_of_values) {
    throw UsageError("mneme::DyadicMemory: EmptyRead::mean_of_values is not supported, because counters do "
                     "not keep the single patterns.\n  Use EmptyRead::keep_query or EmptyRead::zeros.");
  }
  return run_update_steps(
      cues, options_.data_bits, update,
      [&](const BitPatterns& queries, std::span<const int64_t>, int64_t, BitPatterns& readout,
          std::span<int64_t> num_activated) { readout = read(queries, num_activated, update.empty_read); },
      [](BitPatterns&) {});
}

} // namespace mneme
