// SPDX-License-Identifier: MIT

/// Synthetic data set for multiple instance learning: bags of random bit patterns. A bag is positive if it
/// contains a signal pattern.
///
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need", example "bit pattern set". The random
///         draws match those of BitPatternSet in hflayers 1.0.2, number for number
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/patterns.h"

namespace mneme::data {

/// Options of `draw_bit_bags`. The defaults are those of the published example.
struct BitBagOptions {
  int64_t num_bags = 2048;
  int64_t num_instances = 16;      ///< patterns per bag
  int64_t num_signals = 8;         ///< distinct signal patterns, none all zeros; less than 2^num_bits - 1
  int64_t num_signals_per_bag = 1; ///< signal instances per positive bag, 1 .. num_instances
  double fraction_targets = 0.5;   ///< fraction of positive bags, in (0, 1); their number is rounded up
  int64_t num_bits = 8;            ///< bits per pattern
  uint32_t seed_signals = 43, seed_data = 44;
};

struct BitBags {
  BitPatterns signals = {};            ///< in ascending order; the first bit is the most significant
  BitPatterns instances = {};          ///< [num_bags * num_instances], bag after bag; none is all zeros
  std::vector<uint8_t> targets = {};   ///< per bag: 1 is positive. Positive bags come first
  std::vector<uint8_t> is_signal = {}; ///< per instance: 1 is a signal
  int64_t num_instances = 0;           ///< patterns per bag

  int64_t num_bags() const { return static_cast<int64_t>(targets.size()); }
};

/// Draws signals and bags at random.
///
/// Errors  UsageError if an option is out of range, or if num_bags * num_instances exceeds 2^48; Interrupted
/// Cost    O(num_bags num_instances num_bits). More if nearly every pattern is a signal, because draws that
///         hit a signal are repeated
BitBags draw_bit_bags(const BitBagOptions& options = {});

} // namespace mneme::data
