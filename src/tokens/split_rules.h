// SPDX-License-Identifier: MIT

/// Rules by which a tokenizer splits a text into pieces (pre-tokenization).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokens/gpt2_split.h"
#include "tokens/split_pattern.h"

namespace mneme::tokens {

struct SplitRule {
  enum class Kind : uint8_t {
    gpt2,        ///< the pattern of GPT-2
    digit,       ///< every character of \p{N} is a piece
    digit_runs,  ///< every run of characters of \p{N} is a piece
    pattern,     ///< every match of a pattern is a piece, and so is the text between matches
    punctuation, ///< every character of punctuation is a match
    white_space, ///< every character of white space is a match
    words,       ///< runs of word characters, and runs of others that are no white space, are matches
  };
  /// Treatment of matches.
  enum class Behavior : uint8_t {
    isolated,             ///< pieces of their own
    removed,              ///< left out
    merged_with_previous, ///< joined to the text before them; a match after another one is a piece
    merged_with_next,     ///< joined to the text after them; a match before another one is a piece
    contiguous,           ///< matches that follow each other are one piece
  };
  Kind kind = Kind::gpt2;
  Behavior behavior = Behavior::isolated;
  bool is_inverted = false; ///< the text between matches counts as matches; not of isolated ones
  std::string pattern_text = {};
  std::shared_ptr<const SplitPattern> pattern = nullptr; ///< not null for Kind::pattern

  bool operator==(const SplitRule& other) const {
    return kind == other.kind && behavior == other.behavior && is_inverted == other.is_inverted &&
           pattern_text == other.pattern_text;
  }
};

/// Rule that splits by a pattern, or by the scanner of GPT-2 if it is that pattern.
///
/// Errors  UnsupportedError for patterns that SplitPattern does not support
SplitRule pattern_rule(const std::string& pattern);

inline constexpr const char* kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

struct SplitRules {
  std::vector<SplitRule> rules;  ///< each one splits the pieces of the one before; none: one piece
  bool add_prefix_space = false; ///< a text that does not begin with a space gets one
  /// Number of the rules whose pieces are the texts that get a space; 0: a part of the text between added
  /// tokens.
  size_t rules_before_space = 0;
  bool operator==(const SplitRules&) const = default;

  bool adds_space_to_pieces() const { return add_prefix_space && rules_before_space > 0; }
  /// Whether the pieces contain all of the text.
  bool keep_all() const {
    return std::ranges::none_of(
        rules, [](const SplitRule& rule) { return rule.behavior == SplitRule::Behavior::removed; });
  }
};

/// Pieces of valid UTF-8 by one rule, in their order; none is empty.
std::vector<std::string_view> pieces_of(const SplitRule& rule, std::string_view text);

/// End of the piece that begins at `begin` of valid UTF-8, by one rule with isolated matches.
size_t piece_end(const SplitRule& rule, std::string_view text, size_t begin);

/// Calls `use(piece)` for the pieces of a text of valid UTF-8, which is not empty, beginning with the rule
/// number `first_rule`. If spaces are added to pieces, they exist only during the call of `use`.
template <class Use>
void for_each_piece(const SplitRules& rules, std::string_view text, const Use& use, size_t first_rule = 0) {
  if (rules.adds_space_to_pieces() && first_rule == rules.rules_before_space && text.front() != ' ') {
    for_each_piece(rules, std::string(1, ' ').append(text), use, first_rule);
    return;
  }
  if (first_rule == rules.rules.size()) {
    use(text);
    return;
  }
  const SplitRule& rule = rules.rules[first_rule];
  const bool is_last = first_rule + 1 == rules.rules.size() && !rules.adds_space_to_pieces();
  if (rule.behavior != SplitRule::Behavior::isolated) {
    for (const std::string_view piece : pieces_of(rule, text)) {
      for_each_piece(rules, piece, use, first_rule + 1);
    }
    return;
  }
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = rule.kind == SplitRule::Kind::gpt2 ? gpt2_piece_end(text, begin) : piece_end(rule, text, begin);
    const std::string_view piece = text.substr(begin, end - begin);
    if (is_last) {
      use(piece);
    } else {
      for_each_piece(rules, piece, use, first_rule + 1);
    }
  }
}

} // namespace mneme::tokens
