// SPDX-License-Identifier: MIT

#include "tokens/split_pattern.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme::tokens {
namespace {

constexpr uint32_t kUnlimited = std::numeric_limits<uint32_t>::max();
constexpr CategorySet kAllCategories = (CategorySet{1} << kNumCategories) - 1;
constexpr int kMaxDepth = 16;

using Node = SplitPattern::Node;
using Sequence = SplitPattern::Sequence;

/// Recursive-descent parser of a pattern.
class Parser {
public:
  explicit Parser(std::string_view pattern) : pattern_(pattern) {}

  std::vector<Sequence> parse() {
    std::vector<Sequence> alternatives = parse_alternatives(false, 0);
    if (!at_end()) {
      refuse("an unmatched parenthesis");
    }
    return alternatives;
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw UnsupportedError(
        fmt::format("the pattern {} has {} at byte {}, which mneme does not "
                    "support.\n  Supported are the patterns of GPT-2, GPT-4o, Llama 3 and similar.",
                    printable(pattern_), what, at_));
  }

private:
  bool at_end() const { return at_ == pattern_.size(); }
  bool next_is(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool skip(std::string_view text) {
    const bool found = next_is(text);
    at_ += found ? text.size() : 0;
    return found;
  }
  char32_t take_character() {
    if (at_end()) {
      refuse("an incomplete expression");
    }
    const Utf8Character character = first_character(pattern_.substr(at_));
    if (!character.valid) {
      refuse("invalid UTF-8");
    }
    at_ += character.size;
    return character.code;
  }

  std::vector<Sequence> parse_alternatives(bool ignore_case, int depth) {
    if (depth > kMaxDepth) {
      refuse("deeply nested groups");
    }
    std::vector<Sequence> alternatives(1);
    while (!at_end() && !next_is(")")) {
      if (skip("|")) {
        alternatives.emplace_back();
      } else {
        alternatives.back().push_back(parse_quantified(ignore_case, depth));
        if (ignore_case) {
          require_simple_case_folding(alternatives.back());
        }
      }
    }
    return alternatives;
  }

  Node parse_quantified(bool ignore_case, int depth) {
    Node node;
    if (next_is("(")) {
      node = parse_group(ignore_case, depth);
    } else if (skip("$")) { // the end of the text or of a line: not followed by another character than \n
      node.kind = Node::Kind::ahead;
      node.is_negative = true;
      node.set.add_range('\n', '\n');
      node.set.invert();
      node.set.finish();
    } else {
      node.set = parse_character(ignore_case);
    }
    if (node.kind == Node::Kind::ahead) {
      return node;
    }
    if (skip("?")) {
      node.min = 0;
    } else if (skip("*")) {
      node.min = 0, node.max = kUnlimited;
    } else if (skip("+")) {
      node.max = kUnlimited;
    } else if (skip("{")) {
      parse_counts(node);
      if (next_is("+") || next_is("?")) {
        refuse("a quantifier of a quantifier");
      }
      return checked(node);
    } else {
      return node;
    }
    node.is_possessive = skip("+");
    if (next_is("?") || next_is("*") || next_is("{")) {
      refuse("a lazy or repeated quantifier");
    }
    return checked(node);
  }

  Node checked(Node node) const {
    if (node.kind == Node::Kind::group && (node.max > 1 || node.is_possessive)) {
      refuse("a repeated group");
    }
    return node;
  }

  void parse_counts(Node& node) {
    node.min = parse_count();
    node.max = node.min;
    if (skip(",")) {
      node.max = next_is("}") ? kUnlimited : parse_count();
    }
    if (!skip("}") || node.max < node.min || node.max == 0) {
      refuse("an invalid quantifier");
    }
  }
  uint32_t parse_count() {
    uint32_t count = 0;
    size_t digits = 0;
    for (; !at_end() && pattern_[at_] >= '0' && pattern_[at_] <= '9' && digits < 6; ++at_, ++digits) {
      count = 10 * count + static_cast<uint32_t>(pattern_[at_] - '0');
    }
    if (digits == 0) {
      refuse("an invalid quantifier");
    }
    return count;
  }

  Node parse_group(bool ignore_case, int depth) {
    Node node{.kind = Node::Kind::group};
    if (skip("(?!") || skip("(?=")) {
      node.kind = Node::Kind::ahead;
      node.is_negative = pattern_[at_ - 1] == '!';
      node.set = parse_character(ignore_case);
    } else {
      if (!skip("(?:")) {
        if (!skip("(?i:")) {
          refuse("a group other than (?:...) and (?i:...)");
        }
        ignore_case = true;
      }
      node.alternatives = parse_alternatives(ignore_case, depth + 1);
    }
    if (!skip(")")) {
      refuse("an incomplete group");
    }
    return node;
  }

  /// One character, class or set.
  CharacterSet parse_character(bool ignore_case) {
    CharacterSet set;
    if (skip("[")) {
      if (ignore_case) {
        refuse("a set in a group that ignores case");
      }
      parse_set(set);
    } else if (skip(".")) {
      set.add_range('\n', '\n');
      set.invert();
    } else if (next_is("\\")) {
      if (const auto code = parse_escape(set, false)) {
        set.add_range(*code, *code);
      }
    } else {
      for (const char* special : {"*", "+", "?", "{", "}", "^", "]", ")"}) {
        if (next_is(special)) {
          refuse(fmt::format("\"{}\" without an escape", special));
        }
      }
      add_literal(set, take_character(), ignore_case);
    }
    set.finish();
    return set;
  }

  void add_literal(CharacterSet& set, char32_t code, bool ignore_case) {
    set.add_range(code, code);
    if (!ignore_case) {
      return;
    }
    if (code >= 128) {
      refuse("a character other than ASCII in a group that ignores case");
    }
    const char32_t lower = code >= 'A' && code <= 'Z' ? code + 32 : code;
    if (lower >= 'a' && lower <= 'z') {
      set.add_range(lower, lower);
      set.add_range(lower - 32, lower - 32);
    }
    if (lower == 's') {
      set.add_range(0x17f, 0x17f); // long s
    }
    if (lower == 'k') {
      set.add_range(0x212a, 0x212a); // Kelvin sign
    }
  }

  /// Some pairs of letters also match one character, such as a ligature, if case is ignored.
  void require_simple_case_folding(const Sequence& sequence) const {
    if (sequence.size() < 2) {
      return;
    }
    const CharacterSet &first = sequence[sequence.size() - 2].set, &second = sequence.back().set;
    for (const std::string_view pair : {"ss", "st", "ff", "fi", "fl"}) {
      if (first.contains(static_cast<char32_t>(pair[0])) && second.contains(static_cast<char32_t>(pair[1]))) {
        refuse(fmt::format("\"{}\" in a group that ignores case", pair));
      }
    }
  }

  void parse_set(CharacterSet& set) {
    if (skip("^")) {
      set.invert();
    }
    bool is_first = true;
    for (; is_first || !next_is("]"); is_first = false) {
      if (at_end() || next_is("]") || next_is("[") || next_is("&&")) {
        refuse("an incomplete, empty or nested set");
      }
      const std::optional<char32_t> first = next_is("\\") ? parse_escape(set, true) : take_character();
      const bool is_range = next_is("-") && !next_is("-]");
      if (!is_range) {
        if (first) {
          set.add_range(*first, *first);
        }
        continue;
      }
      skip("-");
      const std::optional<char32_t> last = next_is("\\") ? parse_escape(set, true) : take_character();
      if (!first || !last || *last < *first) {
        refuse("an invalid range of characters");
      }
      set.add_range(*first, *last);
    }
    skip("]");
  }

  /// Adds an escaped class to the set, or returns the escaped character.
  std::optional<char32_t> parse_escape(CharacterSet& set, bool in_set) {
    skip("\\");
    const char32_t code = take_character();
    switch (code) {
    case 's':
    case 'S':
      if (code == 'S' && in_set) {
        refuse("\\S in a set");
      }
      set.add_white_space();
      if (code == 'S') {
        set.invert();
      }
      return std::nullopt;
    case 'd':
      set.add(set_of(Category::Nd));
      return std::nullopt;
    case 'D':
      set.add(kAllCategories & ~set_of(Category::Nd));
      return std::nullopt;
    case 'p':
    case 'P':
      parse_property(set, code == 'P');
      return std::nullopt;
    case 'r':
      return '\r';
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    default:
      break;
    }
    const bool is_punctuation = code > ' ' && code < 127 && !(code >= '0' && code <= '9') &&
                                !((code | 32U) >= 'a' && (code | 32U) <= 'z');
    if (!is_punctuation && code != ' ') {
      refuse("an unknown escape");
    }
    return code;
  }

  void parse_property(CharacterSet& set, bool is_inverted) {
    const size_t end = pattern_.find('}', at_);
    if (!skip("{") || end == std::string_view::npos) {
      refuse("an incomplete property");
    }
    std::string_view name = pattern_.substr(at_, end - at_);
    if (name.starts_with("^")) {
      is_inverted = !is_inverted;
      name.remove_prefix(1);
    }
    const CategorySet categories = categories_named(name);
    if (categories == 0) {
      refuse("a property that is not a general category");
    }
    set.add(is_inverted ? kAllCategories & ~categories : categories);
    at_ = end + 1;
  }

  std::string_view pattern_;
  size_t at_ = 0;
};

/// Smallest number of characters that a sequence matches.
uint64_t min_size(const Sequence& sequence) {
  uint64_t size = 0;
  for (const Node& node : sequence) {
    if (node.kind == Node::Kind::repeat) {
      size += node.min;
    } else if (node.kind == Node::Kind::group && node.min == 1) {
      uint64_t smallest = kUnlimited;
      for (const Sequence& alternative : node.alternatives) {
        smallest = std::min(smallest, min_size(alternative));
      }
      size += smallest;
    }
  }
  return size;
}

/// Backtracking matcher with a limit on its steps. Recursion is as deep as the pattern is long.
class Matcher {
public:
  Matcher(std::string_view text, size_t begin)
      : text_(text), steps_left_(64 * (text.size() - begin) + 65536) {}

  /// The rest of the pattern: a sequence from an index on, then that of the group around it.
  struct Rest {
    const Sequence* sequence = nullptr;
    size_t index = 0;
    const Rest* after = nullptr;
  };

  size_t match(const Rest* rest, size_t at) {
    while (rest != nullptr && rest->index == rest->sequence->size()) {
      rest = rest->after;
    }
    if (rest == nullptr) {
      return at;
    }
    const Node& node = (*rest->sequence)[rest->index];
    const Rest next{rest->sequence, rest->index + 1, rest->after};
    switch (node.kind) {
    case Node::Kind::repeat:
      return match_repeat(node, next, at);
    case Node::Kind::group:
      for (const Sequence& alternative : node.alternatives) {
        const Rest inner{&alternative, 0, &next};
        if (const size_t end = match(&inner, at); end != std::string_view::npos) {
          return end;
        }
      }
      return node.min == 0 ? match(&next, at) : std::string_view::npos;
    case Node::Kind::ahead:
      break;
    }
    const bool found = at < text_.size() && node.set.contains(character_at(text_.data() + at).code);
    return found != node.is_negative ? match(&next, at) : std::string_view::npos;
  }

private:
  size_t match_repeat(const Node& node, const Rest& next, size_t begin) {
    size_t at = begin;
    uint32_t count = 0;
    while (count < node.max && at < text_.size()) {
      const Character character = character_at(text_.data() + at);
      if (!node.set.contains(character.code)) {
        break;
      }
      at += character.size;
      ++count;
    }
    count_steps(count + 1);
    for (;; --count) {
      if (count < node.min) {
        return std::string_view::npos;
      }
      if (const size_t end = match(&next, at); end != std::string_view::npos) {
        return end;
      }
      if (node.is_possessive || count == 0) {
        return std::string_view::npos;
      }
      do { // to the beginning of the character before
        --at;
      } while ((static_cast<unsigned char>(text_[at]) & 0xc0U) == 0x80);
      count_steps(1);
    }
  }

  void count_steps(uint64_t steps) {
    if (steps > steps_left_) {
      throw UnsupportedError(
          "the pattern of a pre-tokenizer takes too long for this text, because it tries too many "
          "ways to repeat its parts.\n  Use a tokenizer with another pattern.");
    }
    steps_left_ -= steps;
  }

  std::string_view text_;
  uint64_t steps_left_;
};

} // namespace

void CharacterSet::finish() {
  for (char32_t code = 0; code < 128; ++code) {
    ascii_[code / 64] |= static_cast<uint64_t>(is_member(code)) << (code % 64);
  }
}

bool CharacterSet::is_member(char32_t code) const {
  const bool found =
      (categories_ & set_of(category_of(code))) != 0 || (has_white_space_ && is_white_space(code)) ||
      std::ranges::any_of(ranges_,
                          [code](const auto& range) { return code >= range.first && code <= range.second; });
  return found != is_inverted_;
}

SplitPattern::SplitPattern(std::string_view pattern) {
  Parser parser(pattern);
  alternatives_ = parser.parse();
  if (std::ranges::any_of(alternatives_,
                          [](const Sequence& alternative) { return min_size(alternative) == 0; })) {
    parser.refuse("an alternative that matches an empty text");
  }
}

SplitPattern::Match SplitPattern::find(std::string_view text, size_t begin) const {
  Matcher matcher(text, begin);
  for (size_t at = begin; at < text.size(); at += character_at(text.data() + at).size) {
    for (const Sequence& alternative : alternatives_) {
      const Matcher::Rest rest{&alternative, 0, nullptr};
      if (const size_t end = matcher.match(&rest, at); end != std::string_view::npos) {
        return {at, end};
      }
    }
  }
  return {text.size(), text.size()};
}

} // namespace mneme::tokens
