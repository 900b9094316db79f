// SPDX-License-Identifier: MIT

#include "tokens/split_rules.h"

#include <algorithm>

#include "tokens/bert_classes.h"
#include "tokens/unicode.h"

namespace mneme::tokens {
namespace {

using Kind = SplitRule::Kind;
using Behavior = SplitRule::Behavior;

struct Range {
  size_t begin, end;
  bool is_match;
};

/// Class of a character by a rule that matches characters; characters of equal classes are not separated.
int class_of(Kind kind, char32_t code) {
  switch (kind) {
  case Kind::punctuation:
    return is_punctuation_of_bert(code) ? 1 : 0;
  case Kind::white_space:
    return is_white_space(code) ? 1 : 0;
  case Kind::words:
    return is_white_space(code) ? 0 : is_word_character(code) ? 1 : 2;
  default:
    return split_class_of(code) == SplitClass::number ? 1 : 0;
  }
}

/// Whether every character of a match is a match by itself.
bool matches_characters(Kind kind) {
  return kind == Kind::digit || kind == Kind::punctuation || kind == Kind::white_space;
}

/// The match that begins at `begin`, or the text up to the next one.
Range range_at(const SplitRule& rule, std::string_view text, size_t begin) {
  if (rule.kind == Kind::gpt2) { // its matches follow each other without gaps
    return {begin, gpt2_piece_end(text, begin), true};
  }
  if (rule.kind == Kind::pattern) {
    const SplitPattern::Match match = rule.pattern->find(text, begin);
    const bool is_match = match.begin == begin;
    return {begin, is_match ? match.end : match.begin, is_match};
  }
  const Character first = character_at(text.data() + begin);
  const int its_class = class_of(rule.kind, first.code);
  size_t end = begin + first.size;
  if (its_class > 0 && matches_characters(rule.kind)) {
    return {begin, end, true};
  }
  while (end < text.size()) {
    const Character next = character_at(text.data() + end);
    if (class_of(rule.kind, next.code) != its_class) {
      break;
    }
    end += next.size;
  }
  return {begin, end, its_class > 0};
}

/// Joins every match that does not follow another one to the range before it.
std::vector<Range> merged_with_previous(const std::vector<Range>& ranges) {
  std::vector<Range> merged;
  bool follows_match = false;
  for (const Range& range : ranges) {
    if (range.is_match && !follows_match && !merged.empty()) {
      merged.back().end = range.end;
    } else {
      merged.push_back(range);
    }
    follows_match = range.is_match;
  }
  return merged;
}

std::vector<Range> merged_with_next(const std::vector<Range>& ranges) {
  std::vector<Range> merged; // from the last to the first
  bool precedes_match = false;
  for (size_t i = ranges.size(); i-- > 0;) {
    const Range& range = ranges[i];
    if (range.is_match && !precedes_match && !merged.empty()) {
      merged.back().begin = range.begin;
    } else {
      merged.push_back(range);
    }
    precedes_match = range.is_match;
  }
  std::ranges::reverse(merged);
  return merged;
}

std::vector<Range> contiguous(const std::vector<Range>& ranges) {
  std::vector<Range> merged;
  bool last = false;
  for (const Range& range : ranges) {
    if (range.is_match == last && !merged.empty()) {
      merged.back().end = range.end;
    } else {
      merged.push_back(range);
    }
    last = range.is_match;
  }
  return merged;
}

} // namespace

std::vector<std::string_view> pieces_of(const SplitRule& rule, std::string_view text) {
  std::vector<Range> ranges;
  for (size_t begin = 0; begin < text.size(); begin = ranges.back().end) {
    ranges.push_back(range_at(rule, text, begin));
    ranges.back().is_match = ranges.back().is_match != rule.is_inverted;
  }
  if (rule.behavior == Behavior::removed) {
    std::erase_if(ranges, [](const Range& range) { return range.is_match; });
  } else if (rule.behavior == Behavior::merged_with_previous) {
    ranges = merged_with_previous(ranges);
  } else if (rule.behavior == Behavior::merged_with_next) {
    ranges = merged_with_next(ranges);
  } else if (rule.behavior == Behavior::contiguous) {
    ranges = contiguous(ranges);
  }
  std::vector<std::string_view> pieces;
  pieces.reserve(ranges.size());
  for (const Range& range : ranges) {
    pieces.push_back(text.substr(range.begin, range.end - range.begin));
  }
  return pieces;
}

SplitRule pattern_rule(const std::string& pattern) {
  if (pattern == kGpt2Pattern) {
    return {.kind = SplitRule::Kind::gpt2};
  }
  return {.kind = SplitRule::Kind::pattern,
          .pattern_text = pattern,
          .pattern = std::make_shared<const SplitPattern>(pattern)};
}

size_t piece_end(const SplitRule& rule, std::string_view text, size_t begin) {
  return range_at(rule, text, begin).end;
}

} // namespace mneme::tokens
