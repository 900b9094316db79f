// SPDX-License-Identifier: MIT

/// Colour images as grey ones.
#pragma once

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// How bright a colour looks; red, green and blue from 0 to 1. Equal ones are that grey exactly.
/// Source  ITU-R BT.601
double luma(double red, double green, double blue);

/// Images [count, height, width, 3] as [count, height, width, 1]; grey ones stay as they are.
///
/// Errors  UsageError if the patterns are no images
PatternSet to_grey(PatternSet images);

} // namespace mneme::data
