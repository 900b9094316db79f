// SPDX-License-Identifier: MIT

#include <functional>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/error.h"
#include "tokens/testing.h"

namespace mneme::tokens {
namespace {

using mneme::testing::contains;
using mneme::testing::expect_contains;
using mneme::testing::read_text;
using mneme::testing::TemporaryFolder;
using mneme::testing::write_text;
using nlohmann::json;

json golden_json() {
  return json::parse(read_text(testing::kGolden / "gpt2_pattern/tokenizer.json"));
}

Tokenizer read_changed(const std::function<void(json&)>& change) {
  json document = golden_json();
  change(document);
  const TemporaryFolder folder;
  write_text(folder / "tokenizer.json", document.dump());
  return read_tokenizer(folder.path());
}

template <class Error> std::string message_after(const std::function<void(json&)>& change) {
  try {
    read_changed(change);
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error of the expected kind";
  return "";
}

TEST(TokenizerFiles, RestoreEveryTokenizer) {
  for (const char* name : {"gpt2_pattern", "digits", "prefix_space", "ignore_merges", "llama3_pattern",
                           "gpt4o_pattern", "deepseek_patterns", "pattern_gaps", "nfc_pattern", "roberta",
                           "normalizers", "removed", "merged", "whole_text"}) {
    const Tokenizer tokenizer = testing::golden_tokenizer(name);
    const TemporaryFolder folder;
    write_tokenizer(folder / "model", tokenizer);
    const Tokenizer read = read_tokenizer(folder / "model");
    EXPECT_EQ(read.hash(), tokenizer.hash()) << name;
    EXPECT_EQ(read.end_of_text(), tokenizer.end_of_text()) << name;
    EXPECT_EQ(read_tokenizer(folder / "model/tokenizer.json").hash(), tokenizer.hash()) << name;
  }
  const TemporaryFolder folder;
  write_tokenizer(folder.path(), Tokenizer::bytes());
  EXPECT_EQ(read_tokenizer(folder.path()).hash(), Tokenizer::bytes().hash());
}

TEST(TokenizerFiles, HaveTheEndOfTextInTheirConfiguration) {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = testing::golden_tokenizer();
  write_tokenizer(folder.path(), tokenizer);
  const json configuration = json::parse(read_text(folder / "tokenizer_config.json"));
  EXPECT_EQ(configuration.at("eos_token"), "<|endoftext|>");
  EXPECT_EQ(configuration.at("clean_up_tokenization_spaces"), false);
  EXPECT_EQ(json::parse(read_text(folder / "special_tokens_map.json")).at("eos_token"), "<|endoftext|>");

  json document = golden_json();
  document["added_tokens"].push_back(document["added_tokens"][0]);
  document["added_tokens"][1]["id"] = tokenizer.vocab_size();
  document["added_tokens"][1]["content"] = "<stop>";
  write_text(folder / "tokenizer.json", document.dump());
  write_text(folder / "tokenizer_config.json", R"({"eos_token": {"content": "<stop>"}})");
  EXPECT_EQ(read_tokenizer(folder.path()).end_of_text(), tokenizer.vocab_size());
  write_text(folder / "tokenizer_config.json", R"({"eos_token": "<other>"})");
  EXPECT_THROW(read_tokenizer(folder.path()), DataError);
}

TEST(TokenizerFiles, AcceptMergesAsPairsAndAsTexts) {
  const std::string expected = testing::golden_tokenizer().hash();
  EXPECT_EQ(read_changed([](json& document) {
              for (json& merge : document["model"]["merges"]) {
                merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
              }
              document["model"].erase("type");
            }).hash(),
            expected);
}

TEST(TokenizerFiles, AcceptSpecialTokensInTheVocabularyToo) {
  const int64_t size = testing::golden_tokenizer().vocab_size();
  EXPECT_EQ(
      read_changed([&](json& document) { document["model"]["vocab"]["<|endoftext|>"] = size - 1; }).hash(),
      testing::golden_tokenizer().hash());
  const std::string message =
      message_after<DataError>([](json& document) { document["model"]["vocab"]["<|endoftext|>"] = 3; });
  expect_contains(message, {"<|endoftext|>", "3"});
}

TEST(TokenizerFiles, AcceptAddedTokensThatMergesUse) {
  const auto add = [](json& document, const std::string& text) {
    json token = document["added_tokens"][0];
    token["id"] = document["model"]["vocab"][text];
    token["content"] = text;
    token["special"] = false;
    document["added_tokens"].push_back(token);
  };
  const Tokenizer plain = testing::golden_tokenizer();
  const Tokenizer tokenizer = read_changed([&](json& document) {
    add(document, "in");
    add(document, "a");
  });
  const std::vector<int32_t> ids = tokenizer.encode("xin a");
  EXPECT_EQ(tokenizer.token_bytes(ids[1]), "in");
  EXPECT_EQ(tokenizer.decode(ids), "xin a");
  EXPECT_EQ(tokenizer.vocab_size(), plain.vocab_size());
  const TemporaryFolder folder;
  write_tokenizer(folder.path(), tokenizer);
  EXPECT_EQ(read_tokenizer(folder.path()).hash(), tokenizer.hash());
  EXPECT_EQ(read_tokenizer(folder.path()).encode("xin a"), ids);
  const std::string message = message_after<DataError>([&](json& document) { add(document, "\u00e9"); });
  EXPECT_TRUE(contains(message, "\u00e9")) << "in the vocabulary this is the byte 0xe9";
}

TEST(TokenizerFiles, ReadTheFilesOfGpt2) {
  json document = golden_json();
  const TemporaryFolder folder;
  const int64_t size = testing::golden_tokenizer().vocab_size();
  document["model"]["vocab"]["<|endoftext|>"] = size - 1;
  std::string merges = "#version: 0.2\n";
  for (const json& merge : document["model"]["merges"]) {
    merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\n";
  }
  write_text(folder / "vocab.json", document["model"]["vocab"].dump());
  EXPECT_THROW(read_tokenizer(folder.path()), DataError) << "without merges.txt";
  write_text(folder / "merges.txt", merges);
  const Tokenizer tokenizer = read_tokenizer(folder.path());
  EXPECT_EQ(tokenizer.hash(), testing::golden_tokenizer().hash());
  EXPECT_EQ(tokenizer.end_of_text(), size - 1);
  write_text(folder / "merges.txt", merges + "one two three\n");
  EXPECT_THROW(read_tokenizer(folder.path()), DataError);
  write_text(folder / "merges.txt", merges);
  write_text(folder / "added_tokens.json", "{}");
  EXPECT_THROW(read_tokenizer(folder.path()), DataError);
}

TEST(TokenizerFiles, ReadTheTokensAroundAText) {
  const auto with_template = [](json& document) {
    const json special = {{"SpecialToken", {{"id", "<|endoftext|>"}, {"type_id", 0}}}},
               text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
    document["post_processor"] = {{"type", "Sequence"},
                                  {"processors",
                                   {{{"type", "ByteLevel"}},
                                    {{"type", "TemplateProcessing"},
                                     {"single", {special, text}},
                                     {"pair", json::array()},
                                     {"special_tokens",
                                      {{"<|endoftext|>",
                                        {{"id", "<|endoftext|>"},
                                         {"ids", {document["added_tokens"][0]["id"]}},
                                         {"tokens", {"<|endoftext|>"}}}}}}}}}};
  };
  const Tokenizer tokenizer = read_changed(with_template);
  const std::vector<int32_t> ids = tokenizer.encode("the");
  std::vector<int32_t> expected = {*tokenizer.end_of_text()};
  expected.insert(expected.end(), ids.begin(), ids.end());
  EXPECT_EQ(tokenizer.encode("the", {.add_special = true}), expected);
  EXPECT_EQ(testing::golden_tokenizer().encode("the", {.add_special = true}), ids) << "GPT-2 has none";

  const TemporaryFolder folder;
  write_tokenizer(folder.path(), tokenizer);
  EXPECT_EQ(read_tokenizer(folder.path()).hash(), tokenizer.hash());
  EXPECT_NE(testing::golden_tokenizer().hash(), tokenizer.hash());
}

TEST(TokenizerFiles, ReadTheTokensAroundATextOfRoberta) {
  const Tokenizer tokenizer = testing::golden_tokenizer("roberta");
  const std::vector<int32_t> ids = tokenizer.encode("the", {.add_special = true});
  ASSERT_EQ(ids.size(), 3U);
  EXPECT_EQ(tokenizer.token_bytes(ids[0]), "<s>");
  EXPECT_EQ(tokenizer.token_bytes(ids[2]), "</s>");
  EXPECT_EQ(tokenizer.encode("", {.add_special = true}).size(), 2U);
  const std::string message = message_after<DataError>([](json& d) {
    d["post_processor"] = {{"type", "BertProcessing"}, {"sep", {"a", 1}}, {"cls", "a"}};
  });
  expect_contains(message, {"post_processor.cls is \"a\"", "a token and its id"});
}

TEST(TokenizerFiles, KeepWhiteSpaceNextToAnAddedTokenOutOfOtherTokens) {
  const Tokenizer tokenizer = testing::golden_tokenizer("roberta");
  EXPECT_EQ(tokenizer.encode("the \n <mask>", {.parse_special = true}),
            tokenizer.encode("the<mask>", {.parse_special = true}));
  EXPECT_NE(tokenizer.encode("the \n <mask>"), tokenizer.encode("the<mask>"));
}

TEST(TokenizerFiles, NormalizeValidTextOnly) {
  const Tokenizer tokenizer = testing::golden_tokenizer("nfc_pattern");
  EXPECT_EQ(tokenizer.normalizing(), "NFC");
  EXPECT_EQ(tokenizer.encode("e\u0301"), tokenizer.encode("\u00e9"));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("e\u0301\xff\u0301")), "\u00e9\xff\u0301");
  EXPECT_EQ(testing::golden_tokenizer().normalizing(), "none");
  EXPECT_NE(read_changed([](json& d) {
              d["normalizer"] = {{"type", "NFC"}};
            }).hash(),
            testing::golden_tokenizer().hash());
}

TEST(TokenizerFiles, RejectAddedTokensThatNormalizersRemoveOrMakeEqual) {
  const auto with_added = [](json& d, const std::string& text) {
    json token = d["added_tokens"][0];
    token["id"] = token["id"].get<int64_t>() + static_cast<int64_t>(d["added_tokens"].size());
    token["content"] = text;
    token["normalized"] = true;
    d["added_tokens"].push_back(token);
  };
  expect_contains(message_after<DataError>([&](json& d) {
                    d["normalizer"] = {{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}};
                    with_added(d, "  ");
                  }),
                  {"leaves nothing of the added token \"  \""});
  expect_contains(message_after<DataError>([&](json& d) {
                    d["normalizer"] = {{"type", "Lowercase"}};
                    with_added(d, "<Tag>");
                    with_added(d, "<TAG>");
                  }),
                  {"\"<TAG>\" equal to another one"});
}

TEST(TokenizerFiles, NameWhatIsNotSupported) {
  using Change = std::function<void(json&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"normalizer is of the type \"Nmt\"",
       [](json& d) {
         d["normalizer"] = {{"type", "Nmt"}};
       }},
      {"normalizer.normalizers[1].pattern is {\"Regex\":\"a\"}",
       [](json& d) {
         d["normalizer"] = {
             {"type", "Sequence"},
             {"normalizers",
              {{{"type", "NFC"}}, {{"type", "Replace"}, {"pattern", {{"Regex", "a"}}}, {"content", "b"}}}}};
       }},
      {"pre_tokenizer is of the type \"Metaspace\"",
       [](json& d) {
         d["pre_tokenizer"] = {{"type", "Metaspace"}};
       }},
      {"pre_tokenizer is null", [](json& d) { d["pre_tokenizer"] = nullptr; }},
      {"pre_tokenizer is of the type \"ByteLevel\"",
       [](json& d) {
         d["normalizer"] = {{"type", "ByteLevel"}};
       }},
      {"normalizer.normalizers[1] is of the type \"NFC\"",
       [](json& d) {
         d["normalizer"] = {{"type", "Sequence"},
                            {"normalizers", {{{"type", "ByteLevel"}}, {{"type", "NFC"}}}}};
         d["pre_tokenizer"] = nullptr;
       }},
      {"added_tokens is",
       [](json& d) {
         d["normalizer"] = {{"type", "ByteLevel"}};
         d["pre_tokenizer"] = nullptr;
         d["added_tokens"][0]["normalized"] = d["added_tokens"][0]["lstrip"] = true;
       }},
      {"pre_tokenizer is of the type \"Sequence\"",
       [](json& d) {
         d["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {{{"type", "Whitespace"}}}}};
       }},
      {"post_processor is of the type \"Other\"",
       [](json& d) {
         d["post_processor"] = {{"type", "Other"}};
       }},
      {"pre_tokenizer.pretokenizers[0].behavior is \"Other\"",
       [](json& d) {
         const json split = {{"type", "Split"}, {"pattern", {{"Regex", "a"}}}, {"behavior", "Other"}};
         d["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, {{"type", "ByteLevel"}}}}};
       }},
      {"pre_tokenizer.pretokenizers[0].pattern.Regex: the pattern a|(?<=b)c has a group other than",
       [](json& d) {
         const json split = {
             {"type", "Split"}, {"pattern", {{"Regex", "a|(?<=b)c"}}}, {"behavior", "Isolated"}};
         d["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, {{"type", "ByteLevel"}}}}};
       }},
      {"decoder is of the type \"WordPiece\"",
       [](json& d) {
         d["decoder"] = {{"type", "WordPiece"}};
       }},
      {"decoder is null", [](json& d) { d["decoder"] = nullptr; }},
      {"tokenizer of the type Unigram", [](json& d) { d["model"]["type"] = "Unigram"; }},
      {"model.dropout is 0.1", [](json& d) { d["model"]["dropout"] = 0.1; }},
      {"model.end_of_word_suffix is \"</w>\"", [](json& d) { d["model"]["end_of_word_suffix"] = "</w>"; }},
      {"model.novelty is 1", [](json& d) { d["model"]["novelty"] = 1; }},
      {"added_tokens[0].novelty is 1", [](json& d) { d["added_tokens"][0]["novelty"] = 1; }},
      {"\"max_length\":5,\"strategy\":\"LongestFirst..., which mneme does not support.\n"
       "  Set \"truncation\" to null",
       [](json& d) {
         d["truncation"] = {
             {"direction", "Right"}, {"max_length", 5}, {"strategy", "LongestFirst"}, {"stride", 0}};
       }},
      {"Set \"padding\" to null", [](json& d) {
         d["padding"] = {{"pad_id", 0}};
       }}};
  for (const auto& [named, change] : changes) {
    EXPECT_TRUE(contains(message_after<UnsupportedError>(change), named));
  }
}

TEST(TokenizerFiles, RejectDamagedTokenizers) {
  using Change = std::function<void(json&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"expected a list of merges", [](json& d) { d["model"].erase("merges"); }},
      {"model.vocab is null", [](json& d) { d["model"].erase("vocab"); }},
      {"merge 1 is a copy", [](json& d) { d["model"]["merges"][1] = d["model"]["merges"][0]; }},
      {"\"qqqq\" is not in the vocabulary",
       [](json& d) {
         d["model"]["merges"][0] = {"qqqq", "a"};
       }},
      {"expected two tokens", [](json& d) { d["model"]["merges"][0] = {"a"}; }},
      {"expected an id", [](json& d) { d["model"]["vocab"]["a"] = -1; }},
      {"expected an id", [](json& d) { d["model"]["vocab"]["a"] = 1.5; }},
      {"the largest id is 2000000000", [](json& d) { d["model"]["vocab"]["a"] = 2000000000; }},
      {"belongs to two tokens", [](json& d) { d["model"]["vocab"]["a"] = d["model"]["vocab"]["b"]; }},
      {"byte alphabet", [](json& d) {
         d["model"]["vocab"]["a b"] = d["model"]["vocab"]["a"];
         d["model"]["vocab"].erase("a");
       }}};
  for (const auto& [named, change] : changes) {
    EXPECT_TRUE(contains(message_after<DataError>(change), named));
  }
  const TemporaryFolder folder;
  EXPECT_THROW(read_tokenizer(folder.path()), DataError);
  EXPECT_THROW(read_tokenizer(folder / "nothing"), DataError);
  write_text(folder / "tokenizer.json", "{\"model\": ");
  EXPECT_THROW(read_tokenizer(folder.path()), DataError);
}

TEST(TokenizerFiles, RequireATokenForEveryByte) {
  const std::string message = message_after<DataError>([](json& document) {
    // The last id takes the place of the token "!", so that the ids remain consecutive.
    json& vocabulary = document["model"]["vocab"];
    const int64_t id = vocabulary["!"];
    vocabulary.erase("!");
    vocabulary["!!!!"] = id;
  });
  EXPECT_TRUE(contains(message, "0x21"));
}

TEST(TokenizerFiles, KeepTheNamesOfOtherTokens) {
  const TemporaryFolder folder;
  write_text(folder / "tokenizer.json", golden_json().dump());
  write_text(folder / "tokenizer_config.json",
             R"({"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": null,
                 "unk_token": {"content": "<|endoftext|>", "lstrip": false}, "sep_token": "none"})");
  write_tokenizer(folder / "copy", read_tokenizer(folder.path()));
  for (const char* file : {"copy/tokenizer_config.json", "copy/special_tokens_map.json"}) {
    const json written = json::parse(read_text(folder / file));
    for (const char* name : {"bos_token", "eos_token", "unk_token"}) {
      EXPECT_EQ(written.at(name), "<|endoftext|>") << file;
    }
    EXPECT_FALSE(written.contains("pad_token"));
  }
}

TEST(TokenizerFiles, NameTheTypeOfTokenizersOfOtherKinds) {
  for (const char* type : {"WordPiece", "Unigram", "WordLevel"}) {
    const std::string message = message_after<UnsupportedError>([&](json& d) {
      d["model"] = {{"type", type}, {"vocab", json::object()}};
      d["decoder"] = nullptr;
    });
    expect_contains(message, {"is a tokenizer of the type " + std::string(type), "byte-level BPE"});
  }
}

} // namespace
} // namespace mneme::tokens
