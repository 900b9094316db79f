// SPDX-License-Identifier: MIT

#include <filesystem>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"

namespace mneme {
namespace {

using nlohmann::json;
using testing::contains;
using testing::expect_contains;
using testing::ProgramResult;
using testing::read_text;
using testing::results_of;
using testing::run_mneme;
using testing::TemporaryFolder;
using testing::write_text;

const std::filesystem::path kSource = MNEME_SOURCE_DIR;
const std::string kTokenizer = (kSource / "tests/golden/tokens/gpt2_pattern").string();

std::string output_of(const std::vector<std::string>& arguments,
                      const testing::ProgramOptions& options = {}) {
  const ProgramResult result = run_mneme(arguments, options);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out;
}

std::string error_of(const std::vector<std::string>& arguments, int exit_code,
                     const testing::ProgramOptions& options = {}) {
  const ProgramResult result = run_mneme(arguments, options);
  EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
  EXPECT_EQ(result.out, "");
  return result.err;
}

TEST(TokenizeVerb, EncodesAndDecodesBytesByDefault) {
  EXPECT_EQ(output_of({"tokenize", "encode", "Hi \u00e9"}), "72 105 32 195 169\n");
  EXPECT_EQ(output_of({"tokenize", "decode", "72", "105", "32", "195", "169"}), "Hi \u00e9\n");
  EXPECT_EQ(output_of({"tokenize", "encode"}, {.input = "Hi"}), "72 105\n");
  EXPECT_EQ(output_of({"tokenize", "encode", "--text", "-"}, {.input = "Hi"}), "72 105\n");
  // gzip of "Hi"
  const TemporaryFolder folder;
  const std::string text = (folder / "text").string();
  testing::write_text(text, "Hi");
  testing::run_program({"sh", "-c", "gzip \"$0\"", text});
  EXPECT_EQ(output_of({"tokenize", "encode", "--text", text + ".gz"}), "72 105\n");
  EXPECT_EQ(output_of({"tokenize", "decode"}, {.input = "72, 105\n"}), "Hi")
      << "exactly the bytes of the ids";
}

TEST(TokenizeVerb, RemarksThatATextIsTheNameOfAFile) {
  const TemporaryFolder folder;
  const std::string file = (folder / "my text.txt").string();
  write_text(file, "Hi");
  const ProgramResult of_name = run_mneme({"tokenize", "encode", file});
  EXPECT_TRUE(of_name.out.starts_with("47 ")) << "the name, which begins with a slash";
  expect_contains(of_name.err, {"To encode the file of this name: --text " + file});
  EXPECT_EQ(run_mneme({"tokenize", "encode", "Hi"}).err, "");
}

TEST(TokenizeVerb, ReadsSpecialTokensAsTextUnlessRequested) {
  const std::string text = "the<|endoftext|>";
  const json plain = results_of(output_of({"tokenize", "encode", text, "--tokenizer", kTokenizer, "--json"}));
  const json parsed = results_of(
      output_of({"tokenize", "encode", text, "--tokenizer", kTokenizer, "--parse-special", "--json"}));
  EXPECT_NE(plain.at("documents")[0].at("tokens").back(), "<|endoftext|>");
  EXPECT_EQ(parsed.at("documents")[0].at("tokens").back(), "<|endoftext|>");
  EXPECT_EQ(parsed.at("documents")[0].at("bytes"), text.size());
}

TEST(TokenizeVerb, TrainsEncodesAndDecodesFiles) {
  const TemporaryFolder folder;
  const testing::ProgramOptions here{.folder = folder.path()};
  const std::string text = (kSource / "ARCHITECTURE.md").string();
  const std::string trained =
      output_of({"tokenize", "train", "--text", text, "--vocab-size", "700", "--out", "my"}, here);
  expect_contains(trained, {"700 tokens (256 bytes, 443 merges, 1 special)", "Written to my",
                            "To use it: mneme tokenize"});
  expect_contains(
      output_of({"tokenize", "info", "my"}, here),
      {"byte-level BPE", "700 ids", "443", "<|endoftext|> (699)", "the pattern of GPT-2", "Sample"});

  const std::string written =
      output_of({"tokenize", "encode", "--text", text, "--tokenizer", "my", "--out", "a.tokens"}, here);
  expect_contains(written, {"Written to a.tokens", "bytes per token", "2 bytes each"});
  EXPECT_EQ(output_of({"tokenize", "decode", "--tokens", "a.tokens", "--tokenizer", "my"}, here),
            read_text(text));
  output_of({"tokenize", "decode", "--tokens", "a.tokens", "--tokenizer", "my", "--out", "copy"}, here);
  EXPECT_EQ(read_text(folder / "copy"), read_text(text));
  const json info = results_of(output_of({"tokenize", "info", "a.tokens", "--json"}, here));
  EXPECT_EQ(info.at("text_bytes"), read_text(text).size());
  EXPECT_EQ(info.at("vocab_size"), 700);
  EXPECT_EQ(info.at("tokenizer_sha256"),
            results_of(output_of({"tokenize", "info", "my", "--json"}, here)).at("sha256"));

  expect_contains(
      error_of({"tokenize", "decode", "--tokens", "a.tokens", "--tokenizer", kTokenizer}, 3, here),
      {"another tokenizer", "700 ids"});
  EXPECT_EQ(output_of({"tokenize", "train", "--text", text, "--vocab-size", "700", "--out", "my"}, here),
            trained)
      << "the same tokenizer again";
  const std::string before = read_text(folder / "my/tokenizer.json");
  expect_contains(
      error_of({"tokenize", "train", "--text", text, "--vocab-size", "600", "--out", "my"}, 2, here),
      {"my/tokenizer.json contains another tokenizer", "--out"});
  EXPECT_EQ(read_text(folder / "my/tokenizer.json"), before);
}

TEST(TokenizeVerb, ReportsAVocabularyThatIsSmallerThanRequested) {
  const TemporaryFolder folder;
  write_text(folder / "short.txt", "one one one");
  const ProgramResult result = run_mneme({"tokenize", "train", "--text", "short.txt", "--vocab-size", "4096"},
                                         {.folder = folder.path()});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(contains(result.err, "tokens instead of 4096"));
  EXPECT_TRUE(std::filesystem::exists(folder / "tokenizer/tokenizer.json")) << "the default of --out";
  write_text(folder / "one.txt", "x");
  EXPECT_TRUE(
      contains(run_mneme({"tokenize", "train", "--text", "one.txt", "--vocab-size", "257", "--out", "one"},
                         {.folder = folder.path()})
                   .out,
               "This text has 1 token, "));
}

TEST(TokenizeVerb, EndsEveryDocumentOfJsonLines) {
  const TemporaryFolder folder;
  const testing::ProgramOptions here{.folder = folder.path()};
  write_text(folder / "a.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two\"}\n");
  EXPECT_EQ(output_of({"tokenize", "encode", "--text", "a.jsonl", "--field", "text"}, here),
            "111 110 101\n116 119 111\n");
  output_of({"tokenize", "encode", "--text", "a.jsonl", "--field", "text", "--out", "bytes.tokens"}, here);
  EXPECT_EQ(output_of({"tokenize", "decode", "--tokens", "bytes.tokens"}, here), "one\ntwo\n");
  output_of({"tokenize", "encode", "--text", "a.jsonl", "--field", "text", "--tokenizer", kTokenizer, "--out",
             "b.tokens"},
            here);
  EXPECT_EQ(output_of({"tokenize", "decode", "--tokens", "b.tokens", "--tokenizer", kTokenizer}, here),
            "one<|endoftext|>two<|endoftext|>");
  expect_contains(error_of({"tokenize", "encode", "--text", "a.jsonl", "--field", "body"}, 3, here),
                  {"a.jsonl", "line 1", "\"body\"", "text"});
}

TEST(TokenizeVerb, ReadsTokenFilesOfOtherPrograms) {
  const TemporaryFolder folder;
  const testing::ProgramOptions here{.folder = folder.path()};
  write_text(folder / "nano.bin", std::string("H\0i\0", 4));
  EXPECT_TRUE(
      contains(error_of({"tokenize", "decode", "--tokens", "nano.bin"}, 3, here), "uint16 or uint32"));
  EXPECT_EQ(output_of({"tokenize", "decode", "--tokens", "nano.bin", "--token-type", "uint16"}, here), "Hi");
  expect_contains(output_of({"tokenize", "info", "nano.bin", "--token-type", "uint16"}, here),
                  {"raw", "uint16", "2"});
  EXPECT_TRUE(
      contains(error_of({"tokenize", "decode", "--tokens", "nano.bin", "--token-type", "uint32"}, 3, here),
               "id number 0 is 6881352"));
}

TEST(TokenizeVerb, NamesMistakes) {
  const TemporaryFolder folder;
  const testing::ProgramOptions here{.folder = folder.path()};
  EXPECT_TRUE(contains(error_of({"tokenize"}, 2), "train, encode, decode, info"));
  EXPECT_TRUE(contains(error_of({"tokenize", "train"}, 2), "--text"));
  EXPECT_TRUE(contains(error_of({"tokenize", "encode", "a", "--text", "b"}, 2), "cannot be combined"));
  EXPECT_TRUE(contains(error_of({"tokenize", "encode", "a", "--tokenizer", "none"}, 3, here), "none"));
  EXPECT_TRUE(contains(error_of({"tokenize", "decode", "256"}, 2), "256 tokens"));
  EXPECT_TRUE(contains(error_of({"tokenize", "decode", "x"}, 2), "x"));
  EXPECT_TRUE(contains(error_of({"tokenize", "decode", "1", "--tokens", "file"}, 2), "cannot be combined"));
  EXPECT_TRUE(contains(error_of({"tokenize", "decode", "1", "--token-type", "uint16"}, 2), "--tokens"));
  EXPECT_TRUE(contains(error_of({"tokenize", "info", "--out", "file"}, 2, here), "--out"));
  EXPECT_TRUE(contains(error_of({"tokenize", "encode", "a", "--out", ""}, 2, here), "empty"));
  EXPECT_TRUE(contains(error_of({"tokenize", "train", "--text", "none.txt"}, 3, here), "none.txt"));
}

/// The commands of the page, which begin with "$ ", and the output that follows each of them.
std::vector<std::pair<std::string, std::string>> commands_of(const std::string& page) {
  std::vector<std::pair<std::string, std::string>> commands;
  std::istringstream lines(page);
  bool in_block = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      in_block = !in_block;
    } else if (in_block && line.starts_with("$ ")) {
      commands.emplace_back(line.substr(2), "");
    } else if (in_block && !commands.empty()) {
      commands.back().second += line + "\n";
    }
  }
  return commands;
}

/// Words of a command line; double quotes keep spaces.
std::vector<std::string> words_of(const std::string& command) {
  std::vector<std::string> words(1);
  bool quoted = false;
  for (const char c : command) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

TEST(TokenizeVerb, PrintsWhatItsPageShows) {
  const TemporaryFolder folder;
  std::filesystem::copy_file(kSource / "LICENSE", folder / "LICENSE");
  const auto commands = commands_of(read_text(kSource / "docs/how-to/tokenize_text.md"));
  EXPECT_GE(commands.size(), 6U);
  for (const auto& [command, output] : commands) {
    std::vector<std::string> words = words_of(command);
    ASSERT_EQ(words.front(), "mneme");
    words.erase(words.begin());
    EXPECT_EQ(output_of(words, {.folder = folder.path()}), output) << command;
  }
  EXPECT_EQ(read_text(folder / "copy.txt"), read_text(kSource / "LICENSE"));
}

TEST(TokenizeVerb, SeparatesFilesByTheEndOfTextToken) {
  const TemporaryFolder folder;
  const testing::ProgramOptions here{.folder = folder.path()};
  write_text(folder / "a.txt", "abc");
  write_text(folder / "b.txt", "def");
  const std::string joined =
      output_of({"tokenize", "encode", "--text", "a.txt", "b.txt", "--out", "bytes.tokens"}, here);
  expect_contains(joined, {"2 files, joined without a separator"});
  EXPECT_EQ(output_of({"tokenize", "decode", "--tokens", "bytes.tokens"}, here), "abcdef");
  const std::string separated = output_of(
      {"tokenize", "encode", "--text", "*.txt", "--tokenizer", kTokenizer, "--out", "b.tokens"}, here);
  expect_contains(separated, {"2 files, separated by <|endoftext|>"});
  EXPECT_EQ(output_of({"tokenize", "decode", "--tokens", "b.tokens", "--tokenizer", kTokenizer}, here),
            "abc<|endoftext|>def");
  output_of({"tokenize", "encode", "--text", "b.tokens", "a.txt", "--tokenizer", kTokenizer, "--out", "c"},
            here);
  EXPECT_EQ(output_of({"tokenize", "decode", "--tokens", "c", "--tokenizer", kTokenizer}, here),
            "abc<|endoftext|>def<|endoftext|>abc")
      << "a token file is a text, too";
}

TEST(TokenizeVerb, ReadsFilesThatMatchAPattern) {
  const TemporaryFolder folder;
  const testing::ProgramOptions here{.folder = folder.path()};
  std::filesystem::create_directory(folder / "texts");
  write_text(folder / "texts/2.txt", "b");
  write_text(folder / "texts/1.txt", "a");
  EXPECT_EQ(output_of({"tokenize", "encode", "--text", "texts/*.txt"}, here), "97\n98\n");
  expect_contains(error_of({"tokenize", "encode", "--text", "*.csv"}, 3, here), {"*.csv", "no file matches"});
  expect_contains(error_of({"tokenize", "train", "--text", "texts"}, 3, here),
                  {"texts: is a folder", "'texts/*.txt'"});
}

TEST(TokenizeVerb, AsksForTheFieldOfJsonLines) {
  const TemporaryFolder folder;
  const testing::ProgramOptions here{.folder = folder.path()};
  write_text(folder / "a.jsonl", "{\"id\": 1, \"body\": \"one\"}\n");
  for (const char* verb : {"train", "encode"}) {
    expect_contains(error_of({"tokenize", verb, "--text", "a.jsonl"}, 3, here),
                    {"a.jsonl", "JSON objects with the fields id, body", "--field body"});
  }
  write_text(folder / "b.jsonl", "no object\n");
  output_of({"tokenize", "encode", "--text", "b.jsonl"}, here);
}

TEST(TokenizeVerb, ReplacesNoInputAndNoFileOfAnotherKind) {
  const TemporaryFolder folder;
  const testing::ProgramOptions here{.folder = folder.path()};
  write_text(folder / "text", "abc");
  write_text(folder / "other", "a text");
  std::filesystem::create_symlink("text", folder / "link");
  const auto encode = [](const char* out) {
    return std::vector<std::string>{"tokenize", "encode", "--text", "text", "--out", out};
  };
  expect_contains(error_of(encode("text"), 2, here), {"--out text", "is also an input"});
  expect_contains(error_of(encode("link"), 2, here), {"--out link", "is also an input"});
  expect_contains(error_of(encode("other"), 2, here), {"--out other", "is not a token file"});
  EXPECT_EQ(read_text(folder / "text"), "abc");
  EXPECT_EQ(read_text(folder / "other"), "a text");
  write_text(folder / "t", "");
  output_of(encode("t"), here); // an empty file
  output_of(encode("t"), here); // a token file
  output_of(encode("/dev/null"), here);
  const auto decode = [](const char* out) {
    return std::vector<std::string>{"tokenize", "decode", "--tokens", "t", "--out", out};
  };
  expect_contains(error_of(decode("t"), 2, here), {"--out t", "is also an input"});
  expect_contains(error_of(decode("other"), 2, here), {"--out other", "is not the decoded text"});
  EXPECT_EQ(read_text(folder / "other"), "a text");
  output_of(decode("new"), here);
  output_of(decode("new"), here); // the same text again
  std::filesystem::permissions(folder / "t", std::filesystem::perms::owner_read);
  const ProgramResult result = run_mneme(encode("t"), here);
  EXPECT_NE(result.exit_code, 0); // 2 for the administrator, who can write to it, 1 for others
  EXPECT_TRUE(contains(result.err, "write")) << result.err;
}

TEST(TokenizeVerb, FindsAnotherTokenizerBeforeTheTraining) {
  const TemporaryFolder folder;
  const testing::ProgramOptions here{.folder = folder.path()};
  write_text(folder / "a.txt", "one two one two one two");
  write_text(folder / "b.txt", "three four three four three four");
  output_of({"tokenize", "train", "--text", "a.txt", "--vocab-size", "262", "--out", "my"}, here);
  const auto error = [&](const std::string& text, const std::string& size) {
    return error_of({"tokenize", "train", "--text", text, "--vocab-size", size, "--out", "my"}, 2, here);
  };
  const std::string smaller = error("a.txt", "260");
  expect_contains(smaller, {"my/tokenizer.json contains another tokenizer", "--out"});
  EXPECT_FALSE(contains(smaller, "count pieces")) << "the text is not read";
  expect_contains(error("b.txt", "262"), {"contains another tokenizer"});
}

} // namespace
} // namespace mneme
