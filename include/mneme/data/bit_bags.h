// SPDX-License-Identifier: MIT

/// Bags of random bit patterns; a bag is positive if a signal is hidden in it (multiple instance learning).
///
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need", example "bit pattern set"; the draws are
///         those of BitPatternSet in hflayers 1.0.2, number by number
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/patterns.h"

namespace mneme::data {

/// The defaults are those of the published example.
struct BitBagOptions {
  int64_t num_bags = 2048;
  int64_t num_instances = 16;      ///< patterns of a bag
  int64_t num_signals = 8;         ///< different patterns, none of them all zeros; less than 2^num_bits - 1
  int64_t num_signals_per_bag = 1; ///< instances of a positive bag that are signals, 1 .. num_instances
  double fraction_targets = 0.5;   ///< share of positive bags, between 0 and 1; rounded up
  int64_t num_bits = 8;
  uint32_t seed_signals = 43, seed_data = 44;
};

struct BitBags {
  BitPatterns signals = {};            ///< ascending, the first bit counts most
  BitPatterns instances = {};          ///< [num_bags * num_instances], bag after bag; none is all zeros
  std::vector<uint8_t> targets = {};   ///< per bag; 1: positive. Positive bags come first
  std::vector<uint8_t> is_signal = {}; ///< per instance
  int64_t num_instances = 0;

  int64_t num_bags() const { return static_cast<int64_t>(targets.size()); }
};

/// Errors  UsageError if an option is out of its range, or there are too many bits to be counted; Interrupted
/// Cost    O(num_bags num_instances num_bits), but where nearly every pattern is a signal most draws are made in
///         vain
BitBags draw_bit_bags(const BitBagOptions& options = {});

} // namespace mneme::data
