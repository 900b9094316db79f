// SPDX-License-Identifier: MIT

/// Training data of multiple instance learning: bags of instances with one binary label per bag. A sequence
/// is a bag whose instances are ordered.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mneme/data/bit_bags.h"
#include "mneme/data/latch_sequences.h"
#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Bags of varying size in one contiguous array (CSR layout).
struct LabelledBags {
  std::vector<int64_t> instance_shape = {}; ///< such as {8}, or {1, 28, 28} for images
  std::vector<float> numbers = {};          ///< all instances, bag after bag
  std::vector<int64_t> offsets = {0};       ///< [count + 1]: instances of bag b begin at offsets[b]
  std::vector<uint8_t> targets = {};        ///< per bag: 1 is positive, 0 negative

  int64_t count() const { return static_cast<int64_t>(targets.size()); }
  int64_t instance_size() const; ///< numbers per instance
  int64_t bag_size(int64_t bag) const { return offsets[size_t(bag) + 1] - offsets[size_t(bag)]; }
  int64_t num_positive() const;
};

/// Bags `begin` to `end` (exclusive).
///
/// Errors  UsageError unless 0 <= begin <= end <= count
LabelledBags slice(const LabelledBags& bags, int64_t begin, int64_t end);

/// The bags of `first`, followed by those of `second`.
///
/// Errors  UsageError if instances differ in shape
LabelledBags concatenate(LabelledBags first, const LabelledBags& second);

/// The bags with these indices, in this order.
///
/// Errors  UsageError for an index that is not a bag
LabelledBags select(const LabelledBags& bags, std::span<const int64_t> indices);

/// Checks bags that were filled in by hand.
///
/// Errors  UsageError if a size of the instances is < 1, the offsets do not begin at 0, do not increase (a
///         bag has at least one instance) or do not end at the number of instances, there is not one label
///         per bag, a label is neither 0 nor 1, or a number is not finite
void check(const LabelledBags& bags);

/// A hash of each bag of numbers [instances, size], to find bags that occur twice. It does not depend on the
/// order of the instances; bags with other numbers have other hashes, but for a probability of about 2^-64.
std::vector<uint64_t> bag_hashes(std::span<const float> numbers, int64_t size,
                                 std::span<const int64_t> offsets);

/// Mean and standard deviation of every number of an instance.
struct Standardization {
  std::vector<float> means = {};
  std::vector<float> deviations = {}; ///< > 0; 1 for a number that is equal in all instances
};

/// Mean and standard deviation (population) over the instances of all bags.
///
/// Errors  UsageError if the bags are inconsistent (check), or there are none
Standardization standardization_of(const LabelledBags& bags);
/// Mean and standard deviation of each column of numbers [instances, size]; there is at least one instance.
/// NaN is left out; the mean of a column that has nothing else is NaN.
Standardization standardization_of(std::span<const float> numbers, int64_t size);

/// Replaces NaN in numbers [instances, size] by the means [size].
void replace_missing(std::span<float> numbers, std::span<const float> means);

/// Subtracts the means, and divides by the standard deviations.
///
/// Errors  UsageError unless there is one mean and one deviation per number of an instance
void standardize(LabelledBags& bags, const Standardization& standardization);

/// Bits become elements 0 and 1.
LabelledBags to_labelled_bags(const BitBags& bags);
/// Characters become one-hot vectors over the alphabet.
LabelledBags to_labelled_bags(const LatchSequences& sequences);

/// Options of `draw_digit_bags`. The defaults are those of the published MNIST-bags.
struct DigitBagOptions {
  int64_t target = 9; ///< a bag is positive if it contains an image with this label
  int64_t num_bags = 200;
  /// Mean and standard deviation of the number of instances per bag: drawn from a normal distribution,
  /// truncated to an integer, at least 1.
  double mean_size = 10, size_std = 2;
  uint32_t seed = 1;
};

/// Draws bags of the images `first` to `last` (exclusive), with replacement. Pixels are standardised to mean
/// 0 and standard deviation 1 with the published statistics of MNIST.
///
/// The draws match numpy's RandomState(seed): for each bag `normal`, then `randint`.
///
/// Errors  UsageError if the range is empty or out of bounds, if the images are not greyscale or have no
///         labels, if num_bags < 1, or if mean_size or size_std is out of range or not finite
/// Source  Ilse, Tomczak & Welling 2018, "Attention-based Deep Multiple Instance Learning", MNIST-bags
LabelledBags draw_digit_bags(const PatternSet& images, int64_t first, int64_t last,
                             const DigitBagOptions& options);

} // namespace mneme::data
