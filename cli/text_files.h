// SPDX-License-Identifier: MIT

/// Texts of `mneme tokenize`, `train lm` and `eval lm`: files, wildcards, JSON Lines and token files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"
#include "mneme/core/progress.h"
#include "mneme/tokens/token_file.h"
#include "mneme/tokens/tokenizer.h"

namespace mneme::cli {

/// Content of files that are not token files of mneme or llm.c: the words of --token-type.
enum class FileContent {
  automatic, ///< text; bytes that are probably ids are refused
  text,      ///< text, whatever its bytes are
  uint16,    ///< ids without a header, as nanoGPT writes them
  uint32
};

const char* name_of(FileContent content);
/// Type of the ids of a file without a header, if it has any.
std::optional<tokens::TokenType> raw_type_of(FileContent content);

struct TextFiles {
  std::vector<std::string> paths = {}; ///< "-": standard input
  std::string field = {};              ///< the files are JSON Lines with texts in this field; empty: texts
  FileContent content = FileContent::automatic;
};

/// Adds --text.
Option* add_text_option(Arguments& arguments, std::vector<std::string>& paths, const std::string& help);
/// Adds --field.
Option* add_field_option(Arguments& arguments, std::string& field);
/// Adds --token-type for files of texts or ids, or for token files alone.
Option* add_content_option(Arguments& arguments, FileContent& content, bool with_text = true);

/// Replaces wildcards by the files that match.
///
/// Errors  DataError if no file matches, and for a folder, with the wildcard that names its files
std::vector<std::string> expanded(const std::vector<std::string>& paths);

/// The documents of a file: its whole text, or with `field` the texts in its lines of JSON.
class Documents {
public:
  /// Errors  DataError as read_decompressed_file and read_json_lines; without `field` also for a file whose
  ///         name ends with .jsonl or .ndjson and whose first line is a JSON object
  Documents(const std::string& path, const std::string& field);
  std::vector<std::string_view> texts() const;
  std::span<const std::byte> bytes() const { return bytes_; } ///< of a file without a field

private:
  std::vector<std::byte> bytes_; ///< of a file without a field; not empty
  std::vector<std::string> texts_;
};

/// Calls `use` with the ids of the files, block by block, as one text. The end-of-text token, if the
/// tokenizer has one, separates files; otherwise they are joined. With `field`, every document ends with that
/// token, or with a line feed. Token files are accepted; `advice` is for those of another tokenizer (empty:
/// general).
///
/// Errors  DataError, also for a file with NUL bytes or a name that ends with .bin, unless it is a token file
///         or its content is given; UsageError for ids and a field
void encode_files(const TextFiles& files, const tokens::Tokenizer& tokenizer,
                  const tokens::EncodeOptions& options, const std::string& advice, Progress& progress,
                  const std::function<void(std::span<const int32_t> ids)>& use);

/// "3 files, separated by <|endoftext|>", for output; empty for a single file without fields.
std::string joined_text(const TextFiles& files, const tokens::Tokenizer& tokenizer);

} // namespace mneme::cli
