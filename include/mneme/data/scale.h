// SPDX-License-Identifier: MIT

/// Matches the scale of cues to that of the patterns: they are compared number by number, so both need the
/// same scale.
#pragma once

#include <string>

#include "mneme/data/pattern_set.h"
#include "mneme/data/threshold.h"

namespace mneme::data {

/// Rescales cues to the range of the patterns if necessary. Cues in a similar range are left unchanged.
/// Otherwise they are multiplied by the ratio of the two `file_scale`s: for example cues from 0 to 255 for
/// patterns of bytes that were divided by 255, or the reverse. Returns a message on what was done, empty if
/// nothing was.
///
/// Errors  UsageError with both ranges if the ranges still differ: the range of the cues is more than 8 times
///         or less than 1/8 of that of the patterns, or one set contains 0 and 1 and the other -1 and +1
std::string match_scale(const PatternSet& patterns, PatternSet& cues);

/// Checks that the threshold of the patterns applies to cues whose scale was matched.
///
/// Errors  UsageError with both ranges and `advice`, if all numbers of the cues would become the same bit,
///         although they differ and those of the patterns become both bits. Equal numbers are blank cues.
void require_both_bits(
    const PatternSet& patterns, const ThresholdChoice& choice, const PatternSet& cues,
    const std::string& advice = "Use the same scale for both, such as 0 to 255 or 0 to 1.");

} // namespace mneme::data
