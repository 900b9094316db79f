// SPDX-License-Identifier: MIT

#include "mneme/memory/bit_encoding.h"

#include <algorithm>

#include <fmt/format.h>

#include "memory/checks.h"
#include "mneme/core/error.h"
#include "mneme/core/machine.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"

namespace mneme {
namespace {

/// Number of patterns in which each bit is 1.
std::vector<int64_t> count_ones(const BitPatterns& patterns) {
  std::vector<int64_t> ones(static_cast<size_t>(patterns.bits()), 0);
  for (int64_t i = 0; i < patterns.count(); ++i) {
    for (int64_t b = 0; b < patterns.bits(); ++b) {
      ones[static_cast<size_t>(b)] += patterns.get(i, b) ? 1 : 0;
    }
  }
  return ones;
}

/// Sampler of non-constant bits: without replacement, with probability proportional to their variance.
class BitSampler {
public:
  BitSampler(const std::vector<int64_t>& ones, int64_t count) {
    for (size_t b = 0; b < ones.size(); ++b) {
      if (ones[b] > 0 && ones[b] < count) {
        // The variance times the square of the count, which is an integer.
        const auto weight = static_cast<uint64_t>(ones[b]) * static_cast<uint64_t>(count - ones[b]);
        varying_.push_back({static_cast<int32_t>(b), total_, weight});
        total_ += weight;
      }
    }
  }

  int64_t count() const { return std::ssize(varying_); }

  std::vector<int32_t> draw(int64_t count, Random& random) const {
    std::vector<size_t> chosen; // in ascending order
    uint64_t remaining = total_;
    while (std::ssize(chosen) < count) {
      uint64_t at = random.below(remaining);
      for (const size_t skipped : chosen) { // maps `at` to the intervals that are not chosen yet
        at += at >= varying_[skipped].begin ? varying_[skipped].weight : 0;
      }
      const auto found = std::ranges::upper_bound(varying_, at, {}, &Bit::begin) - 1;
      const auto index = static_cast<size_t>(found - varying_.begin());
      chosen.insert(std::ranges::upper_bound(chosen, index), index);
      remaining -= found->weight;
    }
    std::vector<int32_t> positions;
    for (const size_t index : chosen) {
      positions.push_back(varying_[index].position);
    }
    return positions;
  }

private:
  struct Bit {
    int32_t position;
    uint64_t begin, weight; ///< a random number in [begin, begin + weight) selects this bit
  };
  std::vector<Bit> varying_;
  uint64_t total_ = 0;
};

} // namespace

BitEncoding::BitEncoding(const BitPatterns& training, const BitEncodingOptions& options)
    : input_bits_(training.bits()), training_count_(training.count()) {
  if (options.bits < 1 || options.inputs_max < 1) {
    throw UsageError(
        fmt::format("mneme::BitEncoding: {} bits of at most {} inputs each were requested, but both "
                    "numbers must be at least 1.",
                    options.bits, options.inputs_max));
  }
  const std::vector<int64_t> ones = count_ones(training);
  const BitSampler sampler(ones, training_count_);
  if (sampler.count() == 0) {
    throw UsageError(
        fmt::format("mneme::BitEncoding: all {} bits are constant over the {} training patterns.\n"
                    "  Pass at least two patterns that differ.",
                    input_bits_, training_count_));
  }
  inputs_ = std::min(options.inputs_max, sampler.count());
  const double bytes = static_cast<double>(options.bits) *
                       (static_cast<double>(inputs_) * (sizeof(int32_t) + sizeof(int8_t)) + sizeof(int64_t));
  const std::optional<uint64_t> available = machine_memory().available;
  if (available && bytes > static_cast<double>(*available)) {
    throw UsageError(fmt::format("mneme::BitEncoding: {} bits of {} inputs each need {} of memory, but {} is "
                                 "available.\n  Use fewer bits.",
                                 options.bits, inputs_, memory_text(bytes),
                                 memory_text(static_cast<double>(*available))));
  }
  for (int64_t k = 0; k < options.bits; ++k) {
    Random random = Random(options.seed).stream(static_cast<uint64_t>(k));
    int64_t threshold = 0;
    for (const int32_t position : sampler.draw(inputs_, random)) {
      const int8_t sign = random.below(2) == 0 ? 1 : -1;
      positions_.push_back(position);
      signs_.push_back(sign);
      threshold += sign * ones[static_cast<size_t>(position)];
    }
    thresholds_.push_back(threshold);
  }
}

BitPatterns BitEncoding::encode(const BitPatterns& patterns) const {
  require_same_size("a pattern to encode", patterns.bits(), "the encoding's input", input_bits_);
  BitPatterns encoded(patterns.count(), bits());
  parallel_for(patterns.count(), 16, [&](int64_t begin, int64_t end) {
    std::vector<int8_t> unpacked(static_cast<size_t>(input_bits_));
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t b = 0; b < input_bits_; ++b) {
        unpacked[static_cast<size_t>(b)] = patterns.get(i, b) ? 1 : 0;
      }
      const int32_t* position = positions_.data();
      const int8_t* sign = signs_.data();
      for (int64_t k = 0; k < bits(); ++k) {
        int64_t sum = 0;
        for (int64_t input = 0; input < inputs_; ++input) {
          sum += *sign++ * unpacked[static_cast<size_t>(*position++)];
        }
        encoded.set(i, k, sum * training_count_ > thresholds_[static_cast<size_t>(k)]);
      }
    }
  });
  return encoded;
}

} // namespace mneme
