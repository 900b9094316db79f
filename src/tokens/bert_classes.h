// SPDX-License-Identifier: MIT

/// Classes of characters by which the tokenizer of BERT cleans and splits texts.
#pragma once

namespace mneme::tokens {

/// Control, format and private characters, and U+FFFD. Tabs and line ends are white space instead.
bool is_removed_by_bert(char32_t code);

/// Nonspacing marks.
bool is_mark_of_bert(char32_t code);

/// Punctuation, and all visible ASCII characters but letters and digits.
bool is_punctuation_of_bert(char32_t code);

/// The lower case of an upper-case character that is newer than utf8proc; else the character.
char32_t new_lower_case(char32_t code);

} // namespace mneme::tokens
