// SPDX-License-Identifier: MIT

#include "mneme/tokens/smiles.h"

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "mneme/core/error.h"

namespace mneme::tokens {
namespace {

constexpr const char* kVocabulary =
    "[PAD]\n[unused1]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nC\nCl\n[Na+]\n>>\n(\n)\n%10\n";

/// The message of a DataError.
template <class Call> std::string error_of(const Call& call) {
  try {
    call();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Smiles, DividesATextIntoSymbols) {
  const SmilesTokenizer tokenizer = parse_smiles_vocabulary(kVocabulary, "vocab.txt");
  EXPECT_EQ(tokenizer.vocab_size(), 13);
  EXPECT_EQ(tokenizer.encode("CCl(C)[Na+]>>C%10"), (std::vector<int32_t>{6, 7, 10, 6, 11, 8, 9, 6, 12}));
  EXPECT_EQ(tokenizer.encode("C", {.add_special = true}), (std::vector<int32_t>{3, 6, 4}));
  EXPECT_EQ(tokenizer.encode("C[MASK]", {.parse_special = true}), (std::vector<int32_t>{6, 5}));
  EXPECT_TRUE(tokenizer.encode("").empty());
  EXPECT_EQ(tokenizer.token_text(8), "[Na+]");
  EXPECT_THROW(tokenizer.token_text(13), UsageError);
}

TEST(Smiles, NamesThePlaceOfWhatIsNotInTheVocabulary) {
  const SmilesTokenizer tokenizer = parse_smiles_vocabulary(kVocabulary, "vocab.txt");
  for (const auto& [text, expected] :
       {std::pair{"CC Cl", "byte 2: \" Cl\" does not begin with a symbol of SMILES"},
        {"CCH", "byte 2: \"H\" does not begin with a symbol of SMILES"},
        {"C[Na+", "byte 1: \"[Na+\" does not begin with a symbol of SMILES"},
        {"C[]", "byte 1: \"[]\" does not begin"},
        {"C%1", "byte 1: \"%1\" does not begin"},
        {"C\xc3\xa9", "byte 1: "},
        {"C[K+]C", "byte 1: \"[K+]\" is not in the vocabulary"},
        {"CBrC", "byte 1: \"Br\" is not in the vocabulary"},
        {"C>C", "byte 1: \">\" is not in the vocabulary"},
        {"C[MASK]", "byte 1: \"[MASK]\" is a special token"},
        {"[unused1]", "byte 0: \"[unused1]\" is a special token"}}) {
    const std::string error = error_of([&, &text = text] { tokenizer.encode(text); });
    EXPECT_EQ(error.find(expected), 0U) << text << ": " << error;
  }
}

TEST(Smiles, ReadsALongTextInLinearTime) {
  const SmilesTokenizer tokenizer = parse_smiles_vocabulary(kVocabulary, "vocab.txt");
  EXPECT_EQ(tokenizer.encode(std::string(1'000'000, 'C')).size(), 1'000'000U);
  EXPECT_THROW(tokenizer.encode(std::string(1'000'000, '[')), DataError);
}

TEST(Smiles, RefusesOtherVocabularies) {
  for (const auto& [text, expected] :
       {std::pair{"[CLS]\n[SEP]\nC\nthe\n", "line 4: \"the\" is neither a symbol"},
        {"[CLS]\n[SEP]\nC\n\n", "line 4: \"\" is neither a symbol"},
        {"[CLS]\n[SEP]\nC\nC\n", "line 4: \"C\" is on an earlier line"},
        {"[CLS]\nC\n", "there is no line [SEP]"},
        {"", "there is no line [CLS]"}}) {
    const std::string error = error_of([&text = text] { parse_smiles_vocabulary(text, "vocab.txt"); });
    EXPECT_EQ(error.find(std::string("vocab.txt: ") + expected), 0U) << text << error;
  }
}

TEST(Smiles, IsRecognizedByTheFolder) {
  const mneme::testing::TemporaryFolder folder;
  EXPECT_FALSE(has_smiles_tokenizer(folder.path()));
  EXPECT_THROW(read_smiles_tokenizer(folder.path()), DataError);
  mneme::testing::write_text(folder / "vocab.txt", kVocabulary);
  EXPECT_TRUE(has_smiles_tokenizer(folder.path()));
  EXPECT_EQ(read_smiles_tokenizer(folder.path()).encode("C"), (std::vector<int32_t>{6}));
  mneme::testing::write_text(folder / "tokenizer_config.json", R"({"tokenizer_class": "SmilesTokenizer"})");
  EXPECT_TRUE(has_smiles_tokenizer(folder.path()));
  mneme::testing::write_text(folder / "tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  EXPECT_FALSE(has_smiles_tokenizer(folder.path()));
  mneme::testing::write_text(folder / "tokenizer_config.json", "{}");
  mneme::testing::write_text(folder / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nC\nthe\n##e\n");
  EXPECT_FALSE(has_smiles_tokenizer(folder.path()));
  mneme::testing::write_text(folder / "vocab.txt", kVocabulary);
  mneme::testing::write_text(folder / "tokenizer.json", "{}");
  EXPECT_FALSE(has_smiles_tokenizer(folder.path()));
}

} // namespace
} // namespace mneme::tokens
