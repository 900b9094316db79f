// SPDX-License-Identifier: MIT

/// Patterns drawn in a terminal with Unicode half blocks: two pixels in one character.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "report/raster.h"

namespace mneme::report {

struct TerminalPattern {
  Raster raster;
  std::string above = {},
              below = {}; ///< captions; wrapped to the width of the pattern, which they may widen a bit
};

struct TerminalStyle {
  int64_t width = 80;  ///< terminal columns
  bool colour = false; ///< 256-colour greys; off: pixels above 1/2 are drawn as blocks, the others as blanks
  int64_t indent = 0;  ///< blank columns before every line
};

/// The patterns side by side, on further lines where they do not fit; a pattern wider than the terminal is
/// reduced by a whole factor. Every line ends with a line feed and is at most `width` columns wide.
///
/// Errors  UsageError if a raster's pixels do not fit its size, or fewer than 8 columns are left after the
/// indent
std::string draw_patterns(std::span<const TerminalPattern> patterns, const TerminalStyle& style = {});

} // namespace mneme::report
