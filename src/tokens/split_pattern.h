// SPDX-License-Identifier: MIT

/// The subset of regular expressions by which tokenizers split texts, as Oniguruma matches them.
///
/// Supported: alternatives, groups (?:...) and (?i:...), also optional ones, characters, escapes (\r \n \t \f
/// \v and punctuation), the classes \s \S \d \D . \p{L} \p{Lu} \P{N} ..., sets [...] and [^...] with ranges,
/// the quantifiers ? * + {m} {m,} {m,n} for single characters, possessive ?+ *+ ++, the lookaheads (?!x) and
/// (?=x) for one character, and $ for the end of a line or of the text.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokens/unicode.h"

namespace mneme::tokens {

/// Set of characters.
class CharacterSet {
public:
  void add_range(char32_t first, char32_t last) { ranges_.emplace_back(first, last); }
  void add(CategorySet categories) { categories_ |= categories; }
  void add_white_space() { has_white_space_ = true; }
  void invert() { is_inverted_ = !is_inverted_; }
  /// Must be called once the set is complete.
  void finish();

  bool contains(char32_t code) const {
    return code < 128 ? (ascii_[code / 64] >> (code % 64) & 1U) != 0 : is_member(code);
  }

private:
  bool is_member(char32_t code) const;

  std::vector<std::pair<char32_t, char32_t>> ranges_;
  CategorySet categories_ = 0;
  bool has_white_space_ = false, is_inverted_ = false;
  std::array<uint64_t, 2> ascii_{}; ///< members below 128
};

class SplitPattern {
public:
  /// Errors  UnsupportedError, with the position, for an expression outside of the subset, and for patterns
  ///         that match an empty text
  explicit SplitPattern(std::string_view pattern);

  struct Match {
    size_t begin = 0, end = 0; ///< both the size of the text if there is no match
  };
  /// First match at or after `begin` in valid UTF-8.
  ///
  /// Errors  UnsupportedError if the search takes unreasonably long, as with several repetitions in a row
  Match find(std::string_view text, size_t begin) const;

  struct Node;
  using Sequence = std::vector<Node>;

private:
  std::vector<Sequence> alternatives_;
};

/// Element of a pattern.
struct SplitPattern::Node {
  enum class Kind : uint8_t { repeat, group, ahead };
  Kind kind = Kind::repeat;
  CharacterSet set;                   ///< of repeat and ahead
  uint32_t min = 1, max = 1;          ///< number of characters of a repeat; of a group: 0 or 1, and 1
  bool is_possessive = false;         ///< gives up no characters
  bool is_negative = false;           ///< of ahead
  std::vector<Sequence> alternatives; ///< of a group
};

} // namespace mneme::tokens
