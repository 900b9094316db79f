// SPDX-License-Identifier: MIT

/// Patterns drawn in a terminal with Unicode half blocks, two pixels per character.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "report/raster.h"

namespace mneme::report {

struct TerminalPattern {
  Raster raster;
  /// Captions, wrapped to the width of the pattern; they may widen a pattern narrower than 16 columns.
  std::string above = {}, below = {};
};

struct TerminalStyle {
  int64_t width = 80;  ///< terminal columns
  bool colour = false; ///< 256-colour greys; off: pixels above 1/2 are drawn as blocks, the others as spaces
  int64_t indent = 0;  ///< columns of indentation
};

/// Draws the patterns side by side, continued below where they do not fit; a pattern wider than the terminal
/// is reduced by an integer factor. Every line ends with a line feed and is at most `width` columns wide.
///
/// Errors  UsageError if a raster's pixels do not fit its size, or fewer than 8 columns are left after the
///         indentation
std::string draw_patterns(std::span<const TerminalPattern> patterns, const TerminalStyle& style = {});

} // namespace mneme::report
