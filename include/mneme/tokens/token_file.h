// SPDX-License-Identifier: MIT

/// Files of token ids: the training data of language models.
///
/// Layout of mneme's files, all numbers little-endian; the ids start at byte 128:
///
///   offset  bytes  content
///        0      8  "mnemetok"
///        8      4  version, 1
///       12      4  bytes per id: 2 if the vocabulary has at most 65 536 ids, else 4
///       16      8  size of the vocabulary
///       24      8  number of ids
///       32      8  bytes of text that the ids represent (special tokens count 0)
///       40     32  SHA-256 of the tokenizer (Tokenizer::hash)
///       72     56  zeros
///
/// Two other formats are read: the .bin files of llm.c (a header of 256 numbers of 4 bytes: magic 20240520
/// and version 1 for ids of 2 bytes, or magic 20240801 and version 7 for ids of 4 bytes, then the number of
/// ids), and files without a header, as nanoGPT writes them. These do not record their vocabulary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/tokens/tokenizer.h"

namespace mneme::tokens {

enum class TokenType { uint16, uint32 };

enum class TokenFileFormat { mneme, llm_c, raw };

struct TokenFileInfo {
  TokenFileFormat format = TokenFileFormat::mneme;
  TokenType type = TokenType::uint16;
  int64_t num_tokens = 0;
  // The following values are known for mneme's files only.
  std::optional<int64_t> vocab_size;
  std::optional<int64_t> text_bytes;
  std::string tokenizer_hash; ///< empty if unknown
};

/// An open token file. Ids are read on request with pread; the file is not mapped, because mapped pages would
/// count as memory of the process, and truncating a mapped file would crash it. Thread-safe;
/// copies share the open file.
class TokenFile {
public:
  /// `raw_type` is the type of the ids of a file without a header; it must not be given for other files.
  ///
  /// Errors  DataError if the file is invalid or its size differs from that in its header
  explicit TokenFile(const std::filesystem::path& path, std::optional<TokenType> raw_type = {});
  /// Reads a file that is in memory. The bytes must outlive this object; `name` is used in messages.
  TokenFile(std::span<const std::byte> bytes, const std::string& name,
            std::optional<TokenType> raw_type = {});
  TokenFile(const TokenFile&) = default; ///< no move, which would leave an object without a file
  TokenFile& operator=(const TokenFile&) = default;
  ~TokenFile() = default;

  const TokenFileInfo& info() const;
  int64_t size() const { return info().num_tokens; } ///< number of ids

  /// Reads to.size() ids, starting with id number `first`.
  ///
  /// Errors  UsageError if the range is not within the file; DataError if an id is not in the vocabulary, or
  ///         if the file has been truncated
  void read(int64_t first, std::span<int32_t> to) const;

  /// Checks that the ids are those of `tokenizer`: by the hash if the file has one. Otherwise every id is
  /// compared with the size of the vocabulary, which reads the whole file.
  ///
  /// Errors  DataError, naming both vocabularies; it ends with `advice`, or a general one if that is empty
  void require_vocabulary(const Tokenizer& tokenizer, const std::string& advice = {}) const;

private:
  struct State;
  std::shared_ptr<const State> state_; ///< never null
};

/// True if the bytes are the beginning of a token file of mneme or llm.c.
bool is_token_file(std::span<const std::byte> first_bytes);

/// Ids of the content of a file, which is a token file of mneme or llm.c, or a text to encode; with
/// `raw_type` a file of ids without a header. `name` is used in messages.
///
/// Errors  DataError for an invalid token file, or one of another vocabulary (require_vocabulary)
std::vector<int32_t> ids_of(std::span<const std::byte> content, const std::string& name,
                            const Tokenizer& tokenizer, const EncodeOptions& options = {},
                            const std::string& advice = {}, std::optional<TokenType> raw_type = {});

/// Builds a token file. Ids are collected in memory, 2 or 4 bytes each.
class TokenFileWriter {
public:
  explicit TokenFileWriter(const Tokenizer& tokenizer);

  /// Appends ids.
  ///
  /// Errors  UsageError for ids that are not in the vocabulary
  void add(std::span<const int32_t> ids);

  int64_t num_tokens() const { return num_tokens_; }
  int64_t text_bytes() const { return text_bytes_; }

  /// Writes the file, atomically.
  ///
  /// Errors  OutputError
  void write(const std::filesystem::path& path);

private:
  Tokenizer tokenizer_;
  TokenType type_;
  int64_t num_tokens_ = 0, text_bytes_ = 0;
  std::string bytes_; ///< the header, then the ids
};

} // namespace mneme::tokens
