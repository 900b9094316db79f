// SPDX-License-Identifier: MIT

/// Tokens that are found in a text as a whole, before it is split into pieces.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mneme::tokens {

struct AddedToken {
  int32_t id = 0;
  std::string text;               ///< not empty
  bool is_special = false;        ///< a control symbol: found only if special tokens are parsed
  bool after_normalizing = false; ///< searched once all other added tokens have been found
  bool in_vocabulary = false;     ///< also an ordinary token, which merges may use
  bool strips_left = false;       ///< white space before it belongs to it
  bool strips_right = false;      ///< white space after it belongs to it
  bool is_single_word = false;    ///< not found next to a character of a word
};

/// Occurrence of an added token in a text.
struct AddedTokenMatch {
  size_t begin = 0, size = 0;
  const AddedToken* token = nullptr; ///< null: none was found
};

/// Finder of added tokens: the leftmost one, and the longest of those that begin at the same place.
class AddedTokens {
public:
  AddedTokens() = default;
  /// Tokens that are found by their own texts. They must outlive this object.
  explicit AddedTokens(const std::vector<const AddedToken*>& tokens);
  /// Texts that are found as tokens; of equal texts, the first one counts. Both must outlive this object.
  explicit AddedTokens(const std::vector<std::pair<std::string_view, const AddedToken*>>& tokens);

  bool empty() const { return by_text_.empty(); }
  bool has_ordinary() const { return has_ordinary_; } ///< tokens that are not special
  AddedTokenMatch find(std::string_view text, size_t from) const;

private:
  std::unordered_map<std::string_view, const AddedToken*> by_text_;
  std::array<std::vector<size_t>, 256> sizes_; ///< by first byte: the sizes of tokens, descending
  std::string first_bytes_;
  bool has_ordinary_ = false;
};

} // namespace mneme::tokens
