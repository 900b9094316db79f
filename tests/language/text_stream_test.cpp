// SPDX-License-Identifier: MIT

#include "mneme/language/text_stream.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme::language {
namespace {

/// The parts that a stream returns for these parts, the rest last.
std::vector<std::string> stream(const std::vector<std::string>& parts,
                                const std::vector<std::string>& stops = {}) {
  TextStream text(stops);
  std::vector<std::string> printed;
  for (const std::string& part : parts) {
    printed.push_back(text.add(part));
  }
  printed.push_back(text.finish());
  return printed;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) {
    all += part;
  }
  return all;
}

using Parts = std::vector<std::string>;

TEST(TextStream, HoldsBackIncompleteCharacters) {
  EXPECT_EQ(stream({"a\xC3", "\xA9", "b"}), (Parts{"a", "\xC3\xA9", "b", ""}));
  EXPECT_EQ(stream({"\xF0", "\x9F", "\x98", "\x80"}), (Parts{"", "", "", "\xF0\x9F\x98\x80", ""}));
  EXPECT_EQ(stream({"\xE2\x82"}), (Parts{"", "\xE2\x82"})); // the end of the text
}

TEST(TextStream, PassesInvalidBytesOn) {
  EXPECT_EQ(stream({"\x80", "\xFF", "\xC0"}), (Parts{"\x80", "\xFF", "\xC0", ""}));
  EXPECT_EQ(stream({"\xC3", "(", ")"}), (Parts{"", "\xC3(", ")", ""}));
  EXPECT_EQ(stream({"\xED\xA0", "x"})[0], "\xED\xA0"); // a surrogate cannot be completed
  EXPECT_EQ(stream({"\xF4\x90", "x"})[0], "\xF4\x90"); // beyond U+10FFFF
  EXPECT_EQ(stream({"\xF0\x8F", "x"})[0], "\xF0\x8F"); // longer than needed
}

TEST(TextStream, StopsAcrossParts) {
  EXPECT_EQ(stream({"Hello <", "|end", "|> more", "x"}, {"<|end|>"}), (Parts{"Hello ", "", "", "", ""}));
  EXPECT_EQ(stream({"Hello <", "|enough"}, {"<|end|>"}), (Parts{"Hello ", "<|enough", ""}));
  EXPECT_EQ(joined(stream({"aab"}, {"ab"})), "a"); // a second beginning within the first one
  EXPECT_EQ(stream({"x\n", "\n", "y"}, {"\n\n"}), (Parts{"x", "", "", ""}));
  TextStream text({"b"});
  EXPECT_EQ(text.add("abc"), "a");
  EXPECT_TRUE(text.is_stopped());
  EXPECT_EQ(text.add("d"), "");
  EXPECT_EQ(text.finish(), "");
}

TEST(TextStream, OfSeveralStopStringsTheFirstCompleteOneCounts) {
  EXPECT_EQ(joined(stream({"xabcd"}, {"abcd", "c"})), "xab");
  EXPECT_EQ(joined(stream({"xabc"}, {"c", "bc"})), "xa"); // both end at the same byte
}

TEST(TextStream, RefusesAnEmptyStopString) {
  EXPECT_THROW(TextStream({""}), UsageError);
}

RC_GTEST_PROP(TextStream, TextDoesNotDependOnItsDivision, ()) {
  const auto bytes = *rc::gen::container<std::string>(
      rc::gen::element('a', 'b', '\n', '\xC3', '\xA9', '\xE2', '\x82', '\xAC', '\xF0', '\x9F', '\xFF'));
  const auto stops = *rc::gen::container<std::vector<std::string>>(
      rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::element('a', 'b', '\xC3', '\xA9'))));
  const auto sizes = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 5));
  const std::string whole = joined(stream({bytes}, stops));
  std::vector<std::string> parts;
  size_t at = 0;
  for (const int size : sizes) {
    parts.push_back(bytes.substr(std::min(at, bytes.size()), static_cast<size_t>(size)));
    at += static_cast<size_t>(size);
  }
  parts.push_back(bytes.substr(std::min(at, bytes.size())));
  RC_ASSERT(joined(stream(parts, stops)) == whole);
  if (stops.empty()) {
    RC_ASSERT(whole == bytes);
  }
}

RC_GTEST_PROP(TextStream, PrintsOnlyWholeCharactersOfValidText, ()) {
  const auto characters = *rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF",
                                    "\xF4\x8F\xBF\xBF", "\xE0\xA0\x80"));
  const std::string text = joined(characters);
  TextStream stream;
  std::string printed;
  for (size_t i = 0; i < text.size(); ++i) {
    printed += stream.add(std::string_view(text).substr(i, 1));
    std::string_view rest = printed;
    while (!rest.empty()) {
      const Utf8Character character = first_character(rest);
      RC_ASSERT(character.valid);
      rest.remove_prefix(character.size);
    }
    RC_ASSERT(printed.size() + 3 >= i + 1);
  }
  RC_ASSERT(printed == text); // nothing is held back after the last character
}

} // namespace
} // namespace mneme::language
