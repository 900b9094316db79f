// SPDX-License-Identifier: MIT

/// Text from outside made fit to be shown: UTF-8 repaired, controls taken out, measured in terminal columns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mneme::report {

/// The code points of UTF-8 text; each byte that is no part of valid UTF-8 becomes U+FFFD.
std::u32string decode_utf8(std::string_view text);
std::string encode_utf8(std::u32string_view text);

/// Terminal columns that a code point takes: 0 (combining, zero width), 1, or 2 (East Asian wide, emoji).
int display_width(char32_t code_point);
/// Terminal columns of a text, in which flags and joined emoji take two each.
int64_t display_width(std::string_view text);

/// One line fit for a terminal: valid UTF-8, line breaks and tabs as spaces, every other control character
/// and every bidirectional override as U+FFFD, so that a file name can neither move the cursor nor reorder
/// the line.
std::string one_line(std::string_view text);

/// The lines of `text` (already `one_line`), broken between words where it is wider than `width` columns, and
/// inside a word that is wider alone, but never within a flag, joined emoji or a letter and its accents. At least one line; `width` at least 2.
std::vector<std::string> wrap(std::string_view text, int64_t width);

/// `text` for HTML element content and quoted attributes: & < > " ' as entities, valid UTF-8, and U+FFFD for
/// the control characters that HTML does not allow.
std::string escape_html(std::string_view text);

/// The body of a script element: `</script` and `<!--` are broken up in a way that string and regular
/// expression literals do not notice. For JSON use `json_for_script`.
std::string escape_script(std::string_view script);

} // namespace mneme::report
