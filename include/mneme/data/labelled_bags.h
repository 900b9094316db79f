// SPDX-License-Identifier: MIT

/// Bags of instances with a yes-or-no label each: what multiple instance learning is trained on. A sequence is a
/// bag whose instances have an order.
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/data/bit_bags.h"
#include "mneme/data/latch_sequences.h"
#include "mneme/data/pattern_set.h"

namespace mneme::data {

struct LabelledBags {
  std::vector<int64_t> instance_shape = {}; ///< such as {8}, or {1, 28, 28} for images
  std::vector<uint8_t> bytes = {};          ///< instance after instance, bag after bag
  double scale = 1, shift = 0;              ///< a number is byte * scale + shift
  std::vector<int64_t> begins = {0};        ///< first instance of each bag, and one past the last of all
  std::vector<uint8_t> targets = {};        ///< per bag: 1 or 0

  int64_t count() const { return static_cast<int64_t>(targets.size()); }
  int64_t instance_size() const; ///< bytes of one
  int64_t bag_size(int64_t bag) const { return begins[size_t(bag) + 1] - begins[size_t(bag)]; }
  int64_t num_positive() const;
};

/// Bags `begin` to `end` (not included).
///
/// Errors  UsageError unless 0 <= begin <= end <= count
LabelledBags slice(const LabelledBags& bags, int64_t begin, int64_t end);

/// Those of one, then those of the other.
///
/// Errors  UsageError if instances differ in shape or scale
LabelledBags joined(LabelledBags first, const LabelledBags& second);

/// A bit is an instance's number, 0 or 1.
LabelledBags labelled(const BitBags& bags);
/// A character becomes as many numbers as the alphabet has, one of them 1.
LabelledBags labelled(const LatchSequences& sequences);

/// How the published MNIST bags are drawn.
struct DigitBagOptions {
  int64_t target = 9; ///< a bag with this label in it is positive
  int64_t num_bags = 200;
  double mean_size = 10,
         size_deviation = 2; ///< instances of a bag: normal, cut to a whole number, at least 1
  uint32_t seed = 1;
};

/// Images `first` to `last` (not included) in bags, the same one possibly in several. Pixels are scaled to mean 0
/// and deviation 1 by the numbers published for MNIST.
///
/// The draws are those of numpy's RandomState(seed): `normal` and `randint`, one after the other for each bag.
/// Errors  UsageError if there are no such images, they are not grey or have no labels, num_bags < 1, or the size is
///         not finite
/// Source  Ilse, Tomczak & Welling 2018, "Attention-based Deep Multiple Instance Learning", MNIST-bags
LabelledBags draw_digit_bags(const PatternSet& images, int64_t first, int64_t last,
                             const DigitBagOptions& options);

} // namespace mneme::data
