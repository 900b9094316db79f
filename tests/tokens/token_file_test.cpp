// SPDX-License-Identifier: MIT

#include "mneme/tokens/token_file.h"

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
using Ids = std::vector<int32_t>;

Ids read_all(const TokenFile& file) {
  Ids ids(static_cast<size_t>(file.size()));
  file.read(0, ids);
  return ids;
}

template <class Number> std::string bytes_of(const std::vector<Number>& numbers) {
  std::string bytes;
  for (const Number number : numbers) {
    for (size_t i = 0; i < sizeof number; ++i) {
      bytes += static_cast<char>(number >> (8 * i));
    }
  }
  return bytes;
}

std::string llm_header(uint32_t magic, uint32_t version, uint32_t count) {
  std::vector<uint32_t> header(256);
  header[0] = magic;
  header[1] = version;
  header[2] = count;
  return bytes_of(header);
}

/// The message of the DataError with which a file is rejected.
std::string rejection(const std::string& bytes, std::optional<TokenType> raw_type = {}) {
  try {
    const TokenFile file(std::as_bytes(std::span(bytes)), "tokens.bin", raw_type);
    read_all(file);
  } catch (const DataError& error) {
    return error.what();
  }
  ADD_FAILURE() << "the file was read";
  return "";
}

class MnemeTokenFile : public ::testing::Test {
protected:
  MnemeTokenFile() {
    TokenFileWriter writer(tokenizer_);
    writer.add(std::span(ids_).first(3));
    writer.add(std::span(ids_).subspan(3));
    writer.write(path_);
  }
  std::string with(size_t at, const std::string& bytes) const {
    return read_text(path_).replace(at, bytes.size(), bytes);
  }

  TemporaryFolder folder_;
  Tokenizer tokenizer_ = testing::golden_tokenizer();
  std::filesystem::path path_ = folder_ / "text.tokens";
  std::string text_ = "the king and the lord<|endoftext|>hello";
  Ids ids_ = tokenizer_.encode(text_, {.parse_special = true});
};

TEST_F(MnemeTokenFile, RestoresIdsAndSizes) {
  const TokenFile file(path_);
  EXPECT_EQ(read_all(file), ids_);
  EXPECT_EQ(file.info().format, TokenFileFormat::mneme);
  EXPECT_EQ(file.info().type, TokenType::uint16);
  EXPECT_EQ(file.info().vocab_size, tokenizer_.vocab_size());
  EXPECT_EQ(file.info().text_bytes, static_cast<int64_t>(text_.size()) - 13);
  EXPECT_EQ(file.info().tokenizer_hash, tokenizer_.hash());
  EXPECT_NO_THROW(file.require_vocabulary(tokenizer_));
  Ids some(2);
  file.read(3, some);
  EXPECT_EQ(some, (Ids{ids_[3], ids_[4]}));
  file.read(file.size(), std::span<int32_t>());
}

TEST_F(MnemeTokenFile, IsRejectedByAnotherVocabulary) {
  try {
    TokenFile(path_).require_vocabulary(Tokenizer::bytes());
    FAIL();
  } catch (const DataError& error) {
    expect_contains(error.what(), {std::to_string(tokenizer_.vocab_size()) + " ids", "256 ids",
                                   tokenizer_.hash().substr(0, 12)});
  }
}

TEST_F(MnemeTokenFile, RejectsRangesOutsideOfTheFile) {
  const TokenFile file(path_);
  Ids ids(2);
  EXPECT_THROW(file.read(-1, ids), UsageError);
  EXPECT_THROW(file.read(file.size() - 1, ids), UsageError);
  EXPECT_THROW(file.read(std::numeric_limits<int64_t>::max(), ids), UsageError);
}

TEST_F(MnemeTokenFile, RejectsEveryDamagedHeader) {
  const std::string whole = read_text(path_);
  EXPECT_TRUE(contains(rejection(whole.substr(0, 100)), "100 bytes"));
  EXPECT_TRUE(contains(rejection(whole.substr(0, whole.size() - 1)), "bytes follow the header"));
  EXPECT_TRUE(contains(rejection(whole + "x"), "bytes follow the header"));
  EXPECT_TRUE(contains(rejection(with(8, "\x02")), "version 2"));
  EXPECT_TRUE(contains(rejection(with(12, "\x04")), "does not fit a vocabulary"));
  EXPECT_TRUE(contains(rejection(with(16, std::string(8, '\0'))), "its vocabulary has 0 ids"));
  EXPECT_TRUE(contains(rejection(with(16, std::string(8, '\xff'))), "its vocabulary has"));
  EXPECT_TRUE(contains(rejection(with(24, std::string(8, '\xff'))), "18446744073709551615 ids"));
  EXPECT_TRUE(contains(rejection(with(31, "\x40")), "bytes follow the header")) << "count * 2 would overflow";
  EXPECT_TRUE(contains(rejection(with(32, std::string(8, '\xff'))), "its text has"));
  EXPECT_TRUE(contains(rejection(with(100, "x")), "zeros"));
  EXPECT_TRUE(contains(rejection(with(128, "\xff\xff")), "id number 0 is 65535"));
}

TEST_F(MnemeTokenFile, ReportsThatItWasTruncatedWhileOpen) {
  const TokenFile file(path_);
  std::filesystem::resize_file(path_, 130);
  EXPECT_THROW(read_all(file), DataError);
}

TEST(TokenFileWriter, StoresFourBytesForLargeVocabularies) {
  const TemporaryFolder folder;
  nlohmann::json document =
      nlohmann::json::parse(read_text(testing::kGolden / "gpt2_pattern/tokenizer.json"));
  const int64_t size = testing::golden_tokenizer().vocab_size();
  for (int64_t id = size; id < 65536; ++id) {
    document["added_tokens"].push_back(
        {{"id", id}, {"content", "<" + std::to_string(id) + ">"}, {"special", true}});
  }
  for (const TokenType type : {TokenType::uint16, TokenType::uint32}) {
    write_text(folder / "tokenizer.json", document.dump());
    const Tokenizer tokenizer = read_tokenizer(folder.path());
    TokenFileWriter writer(tokenizer);
    const auto last = static_cast<int32_t>(tokenizer.vocab_size() - 1);
    writer.add(Ids{0, last});
    EXPECT_THROW(writer.add(Ids{last + 1}), UsageError);
    writer.write(folder / "file");
    const TokenFile file(folder / "file");
    EXPECT_EQ(file.info().type, type);
    EXPECT_EQ(read_all(file), (Ids{0, last}));
    document["added_tokens"].push_back({{"id", 65536}, {"content", "<65536>"}, {"special", true}});
  }
}

TEST(LlmTokenFile, ReadsBothFormats) {
  const std::string two = llm_header(20240520, 1, 3) + bytes_of<uint16_t>({1, 65535, 3});
  const TokenFile gpt2(std::as_bytes(std::span(two)), "gpt2.bin");
  EXPECT_EQ(gpt2.info().format, TokenFileFormat::llm_c);
  EXPECT_EQ(read_all(gpt2), (Ids{1, 65535, 3}));
  const std::string four = llm_header(20240801, 7, 2) + bytes_of<uint32_t>({128000, 7});
  const TokenFile llama(std::as_bytes(std::span(four)), "llama.bin");
  EXPECT_EQ(read_all(llama), (Ids{128000, 7}));
  EXPECT_THROW(llama.require_vocabulary(Tokenizer::bytes()), DataError) << "128000 is not an id of it";
  const std::string bytes = llm_header(20240520, 1, 1) + bytes_of<uint16_t>({255});
  EXPECT_NO_THROW(
      TokenFile(std::as_bytes(std::span(bytes)), "bytes.bin").require_vocabulary(Tokenizer::bytes()));
}

TEST(LlmTokenFile, RejectsDamagedFiles) {
  EXPECT_TRUE(contains(rejection(llm_header(20240520, 1, 3).substr(0, 500)), "500 bytes"));
  EXPECT_TRUE(
      contains(rejection(llm_header(20240520, 1, 3) + bytes_of<uint16_t>({1, 2})), "3 ids of 2 bytes"));
  EXPECT_TRUE(
      contains(rejection(llm_header(20240801, 7, 1) + bytes_of<uint16_t>({1, 2, 3})), "1 ids of 4 bytes"));
  EXPECT_TRUE(
      contains(rejection(llm_header(20240801, 7, 1) + bytes_of<uint32_t>({0xffffffff})), "4294967295"));
  EXPECT_TRUE(contains(rejection(llm_header(20240520, 9, 0)), "not a token file"));
}

TEST(RawTokenFile, IsReadIfItsTypeIsGiven) {
  const std::string bytes = bytes_of<uint16_t>({1, 2, 50256});
  EXPECT_TRUE(contains(rejection(bytes), "give their type"));
  const TokenFile file(std::as_bytes(std::span(bytes)), "train.bin", TokenType::uint16);
  EXPECT_EQ(file.info().format, TokenFileFormat::raw);
  EXPECT_EQ(read_all(file), (Ids{1, 2, 50256}));
  EXPECT_TRUE(contains(rejection(bytes, TokenType::uint32), "not a multiple of 4"));
  EXPECT_TRUE(contains(rejection(llm_header(20240520, 1, 0), TokenType::uint16), "with a header"));
}

TEST(TokenFile, RejectsWhatIsNotAFile) {
  const TemporaryFolder folder;
  EXPECT_THROW(TokenFile(folder.path()), DataError);
  EXPECT_THROW(TokenFile(folder / "nothing"), DataError);
}

} // namespace
} // namespace mneme::tokens
