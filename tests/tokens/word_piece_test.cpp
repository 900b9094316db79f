// SPDX-License-Identifier: MIT

#include "mneme/tokens/word_piece.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/temporary_folder.h"
#include "mneme/core/error.h"

namespace mneme::tokens {
namespace {

using nlohmann::json;

const std::filesystem::path kGolden =
    std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "word_piece";

json uncased() {
  return json::parse(mneme::testing::read_text(kGolden / "uncased" / "tokenizer.json"));
}

std::string error_of(const json& document) {
  try {
    parse_word_piece(document.dump(), "tokenizer.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(WordPiece, AddsAndParsesSpecialTokensOnlyOnRequest) {
  const WordPiece tokenizer = read_word_piece(kGolden / "uncased");
  const auto texts = [&](const EncodeOptions& options) {
    std::vector<std::string> all;
    for (const int32_t id : tokenizer.encode("Running [MASK]", options)) {
      all.emplace_back(tokenizer.token_text(id));
    }
    return all;
  };
  EXPECT_EQ(texts({.parse_special = true, .add_special = true}),
            (std::vector<std::string>{"[CLS]", "run", "##ning", "[MASK]", "[SEP]"}));
  EXPECT_EQ(texts({}), (std::vector<std::string>{"run", "##ning", "[", "m", "##a", "##s", "##k", "]"}));
  EXPECT_EQ(tokenizer.encode("\xff"), tokenizer.encode("\xef\xbf\xbd")); // U+FFFD
  EXPECT_THROW(tokenizer.token_text(-1), UsageError);
  EXPECT_THROW(tokenizer.token_text(static_cast<int32_t>(tokenizer.vocab_size())), UsageError);
}

TEST(WordPiece, RefusesWhatItDoesNotReproduce) {
  const auto expect_refused = [](const char* pointer, const json& value, const std::string& part) {
    json document = uncased();
    document[json::json_pointer(pointer)] = value;
    const std::string error = error_of(document);
    EXPECT_NE(error.find(part), std::string::npos) << pointer << ": " << error;
    EXPECT_EQ(error.find("tokenizer.json"), 0U) << error;
  };
  expect_refused("/model/type", "Unigram", "model is of the type \"Unigram\"");
  expect_refused("/normalizer/type", "NFC", "normalizer is of the type");
  expect_refused("/normalizer", nullptr, "normalizer is null");
  expect_refused("/normalizer/lowercase", 1, "normalizer.lowercase");
  expect_refused("/pre_tokenizer/type", "Whitespace", "pre_tokenizer is of the type");
  expect_refused("/post_processor/single", json::array(), "post_processor.single");
  expect_refused("/added_tokens/0/lstrip", true, "added_tokens.lstrip");
  expect_refused("/model/vocab/the", 100000, "the id 100000 is given");
  expect_refused("/model/vocab/the", 2, "the id 2 belongs to two tokens");
  expect_refused("/model/unk_token", "[NONE]", "[NONE]");
  expect_refused("/model/max_input_chars_per_word", -1, "max_input_chars_per_word");
}

TEST(WordPiece, RefusesFoldersOfOtherTokenizers) {
  const mneme::testing::TemporaryFolder folder;
  EXPECT_THROW(read_word_piece(folder.path()), DataError);
  mneme::testing::write_text(folder / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nc\nC\n(\n");
  EXPECT_THROW(read_word_piece(folder.path()), UnsupportedError); // nothing continues a word
  mneme::testing::write_text(folder / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nc\n##c\n");
  EXPECT_EQ(read_word_piece(folder.path()).encode("CC"), (std::vector<int32_t>{5, 6}));
  mneme::testing::write_text(folder / "tokenizer_config.json", R"({"do_lower_case": false})");
  EXPECT_EQ(read_word_piece(folder.path()).encode("CC"), (std::vector<int32_t>{1}));
  mneme::testing::write_text(folder / "tokenizer_config.json", R"({"tokenizer_class": "T5Tokenizer"})");
  EXPECT_THROW(read_word_piece(folder.path()), UnsupportedError);
  mneme::testing::write_text(folder / "vocab.txt", "[PAD]\nc\n##c\n");
  EXPECT_THROW(read_word_piece(folder.path()), DataError);
}

} // namespace
} // namespace mneme::tokens
