// SPDX-License-Identifier: MIT

/// Cues are compared with patterns number by number, so both must be on one scale.
#pragma once

#include <string>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Brings cues to the scale of the patterns: as they are, if their numbers fit those of the patterns; else by the
/// factor between the numbers of both files (cues of 0 to 255 for patterns of bytes that were divided by 255, and the
/// reverse). Returns a note on what was done, empty if nothing was.
///
/// Errors  UsageError that names both ranges if neither fits: the cues reach more than 8 times as far as the patterns
///         or less than an eighth as far, or one holds 0 and 1 and the other -1 and +1
std::string match_scale(const PatternSet& patterns, PatternSet& cues);

} // namespace mneme::data
