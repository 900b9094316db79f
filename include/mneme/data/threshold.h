// SPDX-License-Identifier: MIT

/// Binarisation thresholds: numbers above the threshold become 1, all others 0.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// All numbers of the patterns.
std::span<const double> numbers_of(const RealPatterns& patterns);
/// True if all numbers are 0 or 1, so that every threshold between them gives the same bits.
bool are_bits(const RealPatterns& patterns);

/// Otsu's threshold of all numbers: it maximises the variance between the two classes. Computed exactly from
/// the sorted numbers; the result is the midpoint between two neighbours. If all numbers are equal, the
/// result is that number.
///
/// Errors  UsageError if there are no numbers, or if one is not finite
/// Cost    O(N log N) for N numbers
/// Source  Otsu 1979, "A Threshold Selection Method from Gray-Level Histograms"
double otsu_threshold(const RealPatterns& patterns);

struct ThresholdChoice {
  double threshold;   ///< on the scale of the patterns, not of the file
  std::string origin; ///< description for the user, such as "Otsu's threshold"
};

/// Chooses a threshold. The default is PatternSet::threshold. Otsu's threshold is used instead if the default
/// is 0 and no number is negative, if some patterns become equal as bits, or if fewer than 1 % of the numbers
/// are on one side of it; but not if fewer patterns would be distinct at Otsu's threshold, or if all numbers
/// are equal; the origin states this if the default is 0 and no number is negative.
///
/// `given`: a threshold on the scale of the file, which is used instead.
///
/// Errors  as `otsu_threshold`; UsageError if different numbers would become equal bits with the given
///         threshold, or if numbers of only 0 and 1 would with one outside 0 <= given < 1
ThresholdChoice choose_threshold(const PatternSet& set, const std::optional<double>& given = {});

} // namespace mneme::data
