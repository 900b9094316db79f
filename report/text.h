// SPDX-License-Identifier: MIT

/// Sanitising and measuring text: UTF-8 repair, removal of control characters, width in terminal columns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mneme::report {

/// The code points of UTF-8 text; each byte that is not part of valid UTF-8 becomes U+FFFD.
std::u32string decode_utf8(std::string_view text);
std::string encode_utf8(std::u32string_view text);

/// Width of a code point in terminal columns: 0 (combining, zero width), 1, or 2 (East Asian wide, emoji).
int display_width(char32_t code_point);
/// Width of a text in terminal columns; flags and joined emoji count as two columns.
int64_t display_width(std::string_view text);

/// Text made safe for one terminal line: valid UTF-8, line breaks and tabs as spaces, other control
/// characters and bidirectional overrides as U+FFFD, so that a file name can neither move the cursor nor
/// reorder the line.
std::string one_line(std::string_view text);

/// A number with its noun: "1 layer", "2 layers". Default of `plural`: the noun with an s.
std::string counted(int64_t count, std::string_view noun, std::string_view plural = {});

/// Wraps `text` (already `one_line`) to `width` >= 2 columns between words. Words wider than a line are
/// broken, but never inside a grapheme (flag, joined emoji, letter with accents). Returns at least one line.
std::vector<std::string> wrap(std::string_view text, int64_t width);

/// Escapes `text` for HTML element content and quoted attributes: & < > " ' as entities, valid UTF-8, and
/// U+FFFD for control characters that HTML does not allow.
std::string escape_html(std::string_view text);

/// Escapes the body of a script element: a backslash splits `</script` and `<!--`, which does not change
/// string and regular expression literals. Not for JSON.
std::string escape_script(std::string_view script);

} // namespace mneme::report
