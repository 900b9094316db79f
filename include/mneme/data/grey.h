// SPDX-License-Identifier: MIT

/// Conversion of colour images to greyscale.
#pragma once

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Luma of a colour: 0.299 red + 0.587 green + 0.114 blue, each from 0 to 1. If all three are equal, the
/// result is exactly that value.
///
/// Source  ITU-R BT.601
double luma(double red, double green, double blue);

/// Converts images [count, height, width, 3] to [count, height, width, 1]. Greyscale images are returned
/// unchanged.
///
/// Errors  UsageError if the patterns are not images of 1 or 3 channels
PatternSet to_grey(PatternSet images);

} // namespace mneme::data
