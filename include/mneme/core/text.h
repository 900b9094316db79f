// SPDX-License-Identifier: MIT

/// Escaping of external text, such as file names, for terminals, messages and JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mneme {

/// Text as valid UTF-8 on one line. Bytes that are not valid UTF-8 are escaped as \xff, line feeds as \n,
/// tabs as \t, and other control characters, line separators and bidirectional overrides as \x1b or \u202e.
/// Other text is unchanged.
std::string printable(std::string_view text);

/// `printable` for a message: keeps line feeds before lines that are indented by two spaces, as the line with
/// the advice is.
std::string printable_message(std::string_view text);

/// Text as an argument of a command that a message shows, so that the command can be copied to bash or zsh:
/// in single quotes if it is empty or has characters that a shell interprets, in $'...' if it has characters
/// that `printable` escapes.
std::string shell_argument(std::string_view text);
/// `shell_argument` of a path, which begins with "./" instead of a dash, so that it is not read as an option.
std::string shell_path(std::string_view path);

/// Decoded character of a UTF-8 text.
struct Utf8Character {
  char32_t code = 0;    ///< code point; for an invalid byte its value
  std::size_t size = 1; ///< bytes
  bool valid = true;
};
/// First character of `text`, which must not be empty. Overlong forms, surrogates and code points beyond
/// Unicode are invalid.
Utf8Character first_character(std::string_view text);

bool is_control(char32_t code); ///< C0, DEL and C1
/// Characters that reorder the text around them.
bool is_bidirectional_override(char32_t code);

} // namespace mneme
