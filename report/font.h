// SPDX-License-Identifier: MIT

/// A small bitmap font for pictures: printable ASCII, five pixels wide, seven above the line and two below.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mneme::report {

constexpr int64_t kGlyphWidth = 5, kGlyphHeight = 9, kGlyphAdvance = 6;
constexpr int64_t kGlyphAscent = 7; ///< rows above the line; the rest hang below it

/// True if the glyph has ink there. Characters outside printable ASCII show as a hollow box.
bool glyph_pixel(char character, int64_t row, int64_t column);

/// `text` (UTF-8) in the characters the font has: a few signs have a stand-in (x for the multiplication sign,
/// +- for plus-minus, plain dashes and quotes), every other character becomes one hollow box.
std::string in_font(std::string_view text);

} // namespace mneme::report
