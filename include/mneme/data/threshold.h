// SPDX-License-Identifier: MIT

/// Binarisation: the threshold above which a number becomes a 1.
#pragma once

#include <string>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Otsu's threshold of all numbers: the middle of the gap at which the variance between the two classes is largest,
/// found exactly from the sorted numbers. If all numbers are equal, that number.
///
/// Errors  UsageError if there are no numbers, or one is not finite
/// Cost    O(N log N) for N numbers
/// Source  Otsu 1979, "A Threshold Selection Method from Gray-Level Histograms"
double otsu_threshold(const RealPatterns& patterns);

struct ThresholdChoice {
  double threshold;   ///< in the numbers of the patterns, not of the file
  std::string origin; ///< for readers, such as "Otsu's threshold"
};

/// The threshold of the set (see PatternSet::threshold), unless it is 0 and no number is negative, patterns coincide as
/// bits at it, or fewer than 1 % of the numbers are on one side of it. Then Otsu's threshold, unless fewer patterns are
/// distinct at that.
///
/// Errors  as `otsu_threshold`
ThresholdChoice choose_threshold(const PatternSet& set);

} // namespace mneme::data
