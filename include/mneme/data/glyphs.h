// SPDX-License-Identifier: MIT

/// Built-in patterns: bitmaps of capital letters and digits, drawn by hand.
#pragma once

#include <string>
#include <vector>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// A to Z, then 0 to 9, as images [36, 16, 16, 1] of 0 and 1. The label of a glyph is its index.
PatternSet builtin_glyphs();

/// Names of the glyphs, in the order of `builtin_glyphs`: "A", "B", ... "Z", "0", ... "9".
std::vector<std::string> builtin_glyph_names();

} // namespace mneme::data
