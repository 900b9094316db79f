// SPDX-License-Identifier: MIT

#include "tokens/split_pattern.h"

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"
#include "tokens/gpt2_split.h"
#include "tokens/split_rules.h"
#include "tokens/testing.h"

namespace mneme::tokens {
namespace {

using mneme::testing::contains;
using Pieces = std::vector<std::string>;

Pieces pieces(const SplitRule& rule, std::string_view text) {
  Pieces result;
  for_each_piece({.rules = {rule}}, text, [&](std::string_view piece) { result.emplace_back(piece); });
  return result;
}

Pieces pieces(const std::string& pattern, std::string_view text) {
  return pieces(pattern_rule(pattern), text);
}

TEST(SplitPattern, SplitsAtMatchesAndKeepsTheTextBetweenThem) {
  EXPECT_EQ(pieces("[0-9]{2}", "ab1234567cd"), (Pieces{"ab", "12", "34", "56", "7cd"}));
  EXPECT_EQ(pieces("a+b?|c{2,}", "aabcccab"), (Pieces{"aab", "ccc", "ab"}));
  EXPECT_EQ(pieces("x(?:y|z)?(?!w)", "xyxzwxw"), (Pieces{"xy", "x", "zwxw"}));
  EXPECT_EQ(pieces("a(?=b)", "abac"), (Pieces{"a", "bac"}));
  EXPECT_EQ(pieces(R"(\p{Lu}\P{Lu}*)", "aBcDe"), (Pieces{"a", "Bc", "De"}));
  EXPECT_EQ(pieces(R"([^\s]+)", "a b\u2028c"), (Pieces{"a", " ", "b", "\u2028", "c"}));
  EXPECT_EQ(pieces("(?i:'S|'re)", "it'\u017f 'RE"), (Pieces{"it", "'\u017f", " ", "'RE"}));
}

TEST(SplitPattern, FindsTheEndsOfLines) {
  EXPECT_EQ(pieces(R"(\s+$)", "a  "), (Pieces{"a", "  "}));
  EXPECT_EQ(pieces(R"(\s+$)", "a  \nb a"), (Pieces{"a", "  ", "\nb a"}));
  EXPECT_EQ(pieces(R"(\s+$)", "a \n\n"), (Pieces{"a", " \n\n"}));
  EXPECT_EQ(pieces(R"(\s+$)", "a\r\nb"), (Pieces{"a", "\r", "\nb"}));
  EXPECT_EQ(pieces("a$\n", "a\n b a"), (Pieces{"a\n", " b a"}));
  EXPECT_EQ(pieces("$a", "a\na"), (Pieces{"a\na"}));
}

TEST(SplitPattern, GivesUpCharactersUnlessItIsPossessive) {
  EXPECT_EQ(pieces("a*ab", "aaab"), (Pieces{"aaab"}));
  EXPECT_EQ(pieces("a*+ab|b", "aaab"), (Pieces{"aaa", "b"}));
  EXPECT_EQ(pieces("\u65e5+\u65e5x", "\u65e5\u65e5\u65e5x"), (Pieces{"\u65e5\u65e5\u65e5x"}))
      << "whole characters";
}

TEST(SplitPattern, EqualsTheScannerOfGpt2) {
  const SplitRule pattern{.kind = SplitRule::Kind::pattern,
                          .pattern_text = kGpt2Pattern,
                          .pattern = std::make_shared<const SplitPattern>(kGpt2Pattern)};
  EXPECT_EQ(pattern_rule(kGpt2Pattern).kind, SplitRule::Kind::gpt2);
  Random random(6);
  for (int i = 0; i < 3000; ++i) {
    std::string text = testing::random_text(random, 30);
    text.resize(valid_prefix(text));
    ASSERT_EQ(pieces(pattern, text), pieces(pattern_rule(kGpt2Pattern), text)) << text;
  }
}

TEST(SplitPattern, NamesWhatItDoesNotSupport) {
  const auto message = [](const std::string& pattern) -> std::string {
    try {
      const SplitPattern parsed(pattern);
    } catch (const UnsupportedError& error) {
      return error.what();
    }
    return "";
  };
  for (const auto& [pattern, named] :
       std::vector<std::pair<std::string, std::string>>{{"a*", "empty text"},
                                                        {"", "empty text"},
                                                        {"a|", "empty text"},
                                                        {"(a)", "a group other"},
                                                        {"(?<!a)b", "a group other"},
                                                        {"(?:a)+", "a repeated group"},
                                                        {"a+?", "lazy"},
                                                        {"a{2}+", "quantifier"},
                                                        {"a{3,2}", "quantifier"},
                                                        {"^a", "\"^\""},
                                                        {"$", "empty text"},
                                                        {R"(\bx)", "unknown escape"},
                                                        {R"(\w)", "unknown escape"},
                                                        {R"(\p{Han})", "property"},
                                                        {"[a", "set"},
                                                        {"[[:alpha:]]", "set"},
                                                        {"[b-a]", "range"},
                                                        {R"([\S])", "set"},
                                                        {"(?:a", "incomplete"},
                                                        {"a)", "parenthesis"},
                                                        {"(?i:ss)", "ignores case"},
                                                        {"(?i:\u00e9)", "ignores case"},
                                                        {"a\\", "incomplete"},
                                                        {"\xff", "UTF-8"}}) {
    EXPECT_TRUE(contains(message(pattern), named)) << pattern;
  }
}

TEST(SplitPattern, StopsIfItTakesTooLong) {
  const SplitPattern repeats("a*a*a*a*a*b"), gaps("a+b");
  EXPECT_THROW((void)repeats.find(std::string(5000, 'a'), 0), UnsupportedError);
  EXPECT_THROW((void)gaps.find(std::string(1000000, 'a'), 0), UnsupportedError)
      << "starts again at every byte";
}

} // namespace
} // namespace mneme::tokens
