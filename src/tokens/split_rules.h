// SPDX-License-Identifier: MIT

/// Rules by which a tokenizer splits a text into pieces (pre-tokenization).
#pragma once

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
    gpt2,       ///< the pattern of GPT-2
    digit,      ///< every character of \p{N} is a piece
    digit_runs, ///< every run of characters of \p{N} is a piece
    pattern,    ///< every match of a pattern is a piece, and so is the text between matches
  };
  Kind kind = Kind::gpt2;
  std::string pattern_text = {};
  std::shared_ptr<const SplitPattern> pattern = nullptr; ///< not null for Kind::pattern

  bool operator==(const SplitRule& other) const {
    return kind == other.kind && pattern_text == other.pattern_text;
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
  bool add_prefix_space = false; ///< a part of the text that does not begin with a space gets one
  bool operator==(const SplitRules&) const = default;
};

/// End of the piece that begins at `begin` of valid UTF-8, by one rule.
size_t piece_end(const SplitRule& rule, std::string_view text, size_t begin);

/// Calls `use(piece)` for the pieces of a text of valid UTF-8, which is not empty, beginning with the rule
/// number `first_rule`.
template <class Use>
void for_each_piece(const SplitRules& rules, std::string_view text, const Use& use, size_t first_rule = 0) {
  if (first_rule == rules.rules.size()) {
    use(text);
    return;
  }
  const SplitRule& rule = rules.rules[first_rule];
  const bool is_last = first_rule + 1 == rules.rules.size();
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
