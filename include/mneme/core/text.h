// SPDX-License-Identifier: MIT

/// Text from outside, such as the name of a file, made fit for terminals, messages and JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mneme {

/// Valid UTF-8 on one line: a byte that is no part of valid UTF-8 becomes \xff, a line feed \n, a tab \t, and every
/// other control character, line separator or bidirectional override \x1b or \u202e. All else stays as it is.
std::string printable(std::string_view text);

/// The same for a message, whose line feeds stay where the next line is indented by two blanks, as that with the
/// advice is.
std::string printable_message(std::string_view text);

/// The first character of a UTF-8 text.
struct Utf8Character {
  char32_t code = 0;    ///< of an invalid byte its value
  std::size_t size = 1; ///< bytes
  bool valid = true;
};
/// `text` is not empty. Overlong forms, surrogates and numbers past the end of Unicode are not valid.
Utf8Character first_character(std::string_view text);

bool is_control(char32_t code); ///< C0, delete and C1
/// Characters that reorder the text around them.
bool is_bidirectional_override(char32_t code);

} // namespace mneme
