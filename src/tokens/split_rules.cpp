// SPDX-License-Identifier: MIT

#include "tokens/split_rules.h"

#include "tokens/unicode.h"

namespace mneme::tokens {

SplitRule pattern_rule(const std::string& pattern) {
  if (pattern == kGpt2Pattern) {
    return {.kind = SplitRule::Kind::gpt2};
  }
  return {.kind = SplitRule::Kind::pattern,
          .pattern_text = pattern,
          .pattern = std::make_shared<const SplitPattern>(pattern)};
}

size_t piece_end(const SplitRule& rule, std::string_view text, size_t begin) {
  if (rule.kind == SplitRule::Kind::gpt2) {
    return gpt2_piece_end(text, begin);
  }
  if (rule.kind == SplitRule::Kind::pattern) {
    const SplitPattern::Match match = rule.pattern->find(text, begin);
    return match.begin == begin ? match.end : match.begin;
  }
  const auto is_number = [&](const Character& character) {
    return split_class_of(character.code) == SplitClass::number;
  };
  const Character first = character_at(text.data() + begin);
  const bool number = is_number(first);
  size_t end = begin + first.size;
  if (number && rule.kind == SplitRule::Kind::digit) {
    return end;
  }
  while (end < text.size()) {
    const Character next = character_at(text.data() + end);
    if (is_number(next) != number) {
      break;
    }
    end += next.size;
  }
  return end;
}

} // namespace mneme::tokens
