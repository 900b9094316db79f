// SPDX-License-Identifier: MIT

/// Character classes of Unicode 16, by which tokenizers split texts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mneme::tokens {

/// General categories, in the order of make_unicode_table.py.
enum class Category : uint8_t {
  Cc,
  Cf,
  Cn,
  Co,
  Cs,
  Ll,
  Lm,
  Lo,
  Lt,
  Lu,
  Mc,
  Me,
  Mn,
  Nd,
  Nl,
  No,
  Pc,
  Pd,
  Pe,
  Pf,
  Pi,
  Po,
  Ps,
  Sc,
  Sk,
  Sm,
  So,
  Zl,
  Zp,
  Zs
};
constexpr size_t kNumCategories = 30;

/// Set of general categories: bit c is that of category c.
using CategorySet = uint32_t;
constexpr CategorySet set_of(Category category) {
  return CategorySet{1} << static_cast<uint32_t>(category);
}
constexpr CategorySet kLetters = set_of(Category::Ll) | set_of(Category::Lm) | set_of(Category::Lo) |
                                 set_of(Category::Lt) | set_of(Category::Lu);
constexpr CategorySet kNumbers = set_of(Category::Nd) | set_of(Category::Nl) | set_of(Category::No);

/// The set of a property name as in \p{...}: "L", "Lu", "N", "P" ...; 0 if it is not a general category.
CategorySet categories_named(std::string_view name);

/// Ranges of equal category: the first code point times 32, plus the category. Ascending; the first one
/// begins at 0.
std::span<const uint32_t> category_ranges();

/// General category of a code point below 0x110000.
Category category_of(char32_t code);

/// True for characters with the property White_Space.
bool is_white_space(char32_t code);

/// Number of bytes of white space at the begin and at the end of a text of any bytes.
size_t leading_white_space(std::string_view text);
size_t trailing_white_space(std::string_view text);

/// True for characters of words, \w in regular expressions: letters, marks, decimal digits, connector
/// punctuation and joiners.
bool is_word_character(char32_t code);
/// Whether a text of any bytes begins or ends with such a character.
bool begins_with_word(std::string_view text);
bool ends_with_word(std::string_view text);

/// Classes of the pattern of GPT-2.
enum class SplitClass : uint8_t { other, letter, number, space };

/// Class of a code point below 0x110000.
SplitClass split_class_of(char32_t code);

/// Table of the classes of ASCII.
extern const std::array<SplitClass, 128> kAsciiClasses;

/// Decodes the character at `at` of valid UTF-8.
struct Character {
  char32_t code;
  uint32_t size; ///< bytes
};
inline Character character_at(const char* at) {
  const auto byte = [at](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(at[i])); };
  const uint32_t first = byte(0);
  if (first < 0x80) {
    return {static_cast<char32_t>(first), 1};
  }
  if (first < 0xe0) {
    return {static_cast<char32_t>((first & 0x1f) << 6 | (byte(1) & 0x3f)), 2};
  }
  if (first < 0xf0) {
    return {static_cast<char32_t>((first & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f)), 3};
  }
  return {static_cast<char32_t>((first & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 |
                                (byte(3) & 0x3f)),
          4};
}

/// Length of the longest prefix that is valid UTF-8.
size_t valid_prefix(std::string_view text);

} // namespace mneme::tokens
