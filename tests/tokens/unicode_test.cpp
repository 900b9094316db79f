// SPDX-License-Identifier: MIT

#include "tokens/unicode.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/temporary_folder.h"
#include "tokens/gpt2_split.h"

namespace mneme::tokens {
namespace {

TEST(Unicode, HasTheCategoriesOfWellKnownCharacters) {
  EXPECT_EQ(category_of(U'a'), Category::Ll);
  EXPECT_EQ(category_of(U'\u01c5'), Category::Lt);
  EXPECT_EQ(category_of(U'\u0301'), Category::Mn);
  EXPECT_EQ(category_of(U'\u00b2'), Category::No);
  EXPECT_EQ(category_of(U'\u2028'), Category::Zl);
  EXPECT_EQ(category_of(U'\ud7ff'), Category::Cn);
  EXPECT_EQ(category_of(U'\U0010ffff'), Category::Cn);
  EXPECT_EQ(category_of(U'\U00010d4a'), Category::Lo) << "new in Unicode 16";
}

TEST(Unicode, FindsCategoriesByName) {
  EXPECT_EQ(categories_named("L"), kLetters);
  EXPECT_EQ(categories_named("N"), kNumbers);
  EXPECT_EQ(categories_named("Lu"), set_of(Category::Lu));
  EXPECT_EQ(categories_named("Letter"), 0U);
  EXPECT_EQ(categories_named(""), 0U);
}

TEST(Unicode, HasTheClassesOfTheReference) {
  const std::filesystem::path path =
      std::filesystem::path(MNEME_SOURCE_DIR).parent_path() / "shared/reference/gpt2/unicode_classes.json";
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << path << " is not present";
  }
  const nlohmann::json classes = nlohmann::json::parse(testing::read_text(path));
  std::vector<SplitClass> expected(0x110000, SplitClass::other);
  for (const auto& [name, split_class] :
       {std::pair("letter", SplitClass::letter), std::pair("number", SplitClass::number),
        std::pair("space", SplitClass::space)}) {
    for (const nlohmann::json& range : classes.at(name)) {
      for (size_t code = range.at(0); code <= range.at(1); ++code) {
        expected[code] = split_class;
      }
    }
  }
  for (size_t code = 0; code < expected.size(); ++code) {
    ASSERT_EQ(split_class_of(static_cast<char32_t>(code)), expected[code]) << std::hex << code;
  }
}

TEST(ValidPrefix, EndsAtTheFirstByteThatIsNotUtf8) {
  EXPECT_EQ(valid_prefix(""), 0U);
  EXPECT_EQ(valid_prefix("plain text of ASCII"), 19U);
  EXPECT_EQ(valid_prefix("twelve bytes\xff and more"), 12U);
  EXPECT_EQ(valid_prefix("\u00e9\u65e5\U0001f600"), 9U);
  EXPECT_EQ(valid_prefix("\xed\xa0\x80"), 0U) << "surrogate";
  EXPECT_EQ(valid_prefix("\xc0\xaf"), 0U) << "overlong";
  EXPECT_EQ(valid_prefix("abc\xe2\x82"), 3U) << "cut";
}

std::vector<std::string> pieces(std::string_view text) {
  std::vector<std::string> result;
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = gpt2_piece_end(text, begin);
    result.emplace_back(text.substr(begin, end - begin));
  }
  return result;
}

TEST(Gpt2Split, FollowsThePattern) {
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(pieces("Hello world"), (Pieces{"Hello", " world"}));
  EXPECT_EQ(pieces("it's 'tis DON'T we'll"),
            (Pieces{"it", "'s", " '", "tis", " DON", "'", "T", " we", "'ll"}));
  EXPECT_EQ(pieces("'tis"), (Pieces{"'t", "is"}));
  EXPECT_EQ(pieces("a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(pieces("a\n\nb  "), (Pieces{"a", "\n", "\n", "b", "  "}));
  EXPECT_EQ(pieces("a1\u00b2 \u0301x"), (Pieces{"a", "1\u00b2", " \u0301", "x"}));
  EXPECT_EQ(pieces("x\u2028\u2029y"), (Pieces{"x", "\u2028", "\u2029", "y"}));
  EXPECT_EQ(pieces(" \u00a0\u00a0x"), (Pieces{" \u00a0", "\u00a0", "x"}));
}

TEST(Gpt2Split, DividesOnlyWherePiecesEnd) {
  const std::string text = "some words,  more\n\n words\xff \xc3 x";
  for (size_t from = 0; from <= text.size(); ++from) {
    const size_t division = gpt2_division(text, from);
    EXPECT_GE(division, from);
    if (division < text.size()) {
      EXPECT_TRUE(text[division] == ' ' || text[division] == '\n');
      EXPECT_NE(text[division - 1], ' ');
    }
  }
}

} // namespace
} // namespace mneme::tokens
