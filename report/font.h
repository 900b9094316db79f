// SPDX-License-Identifier: MIT

/// Small bitmap font for images: printable ASCII, 5 pixels wide, 7 above the baseline and 2 below it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mneme::report {

constexpr int64_t kGlyphWidth = 5, kGlyphHeight = 9, kGlyphAdvance = 6;
constexpr int64_t kGlyphAscent = 7; ///< rows above the baseline; the others are below it

/// True if the pixel of the glyph is set. Characters outside printable ASCII are drawn as a hollow box.
bool glyph_pixel(char character, int64_t row, int64_t column);

/// Converts UTF-8 text to the characters of the font. A few symbols have ASCII replacements (x for the
/// multiplication sign, +- for plus-minus, plain dashes and quotes); all others become a hollow box.
std::string to_font_characters(std::string_view text);

} // namespace mneme::report
