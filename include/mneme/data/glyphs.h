// SPDX-License-Identifier: MIT

/// Built-in patterns: bitmaps of capital letters and digits, drawn by hand.
#pragma once

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// A to Z, then 0 to 9, as images [36, 16, 16, 1] of 0 and 1. The label of a glyph is its index, and its
/// class name the letter or digit.
PatternSet builtin_glyphs();

} // namespace mneme::data
