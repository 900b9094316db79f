// SPDX-License-Identifier: MIT

/// The tokenizer of BERT: normalized words, divided into the longest tokens of a vocabulary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/tokens/tokenizer.h"

namespace mneme::tokens {

/// Texts are cleaned and, depending on the tokenizer, lower-cased, without accents; they are split at spaces,
/// punctuation and Chinese characters. Each word becomes the longest token that it begins with, and the rest
/// likewise, with tokens that begin with "##"; a word for which there are no tokens becomes the unknown
/// token. A text cannot be restored from its ids. Immutable and thread-safe; copies share their state.
class WordPiece {
public:
  /// Number of ids: they are 0 to vocab_size() - 1.
  int64_t vocab_size() const;

  /// The ids of a text of any length; options as in Tokenizer: with `add_special`, [CLS] and [SEP] are added.
  /// Bytes that are not valid UTF-8 count as U+FFFD.
  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const;

  /// The text of one token, such as "##ing". Errors  UsageError if the id is not in the vocabulary
  std::string_view token_text(int32_t id) const;

  struct State;
  explicit WordPiece(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  WordPiece(const WordPiece&) = default; ///< no move, which would leave a tokenizer without a state
  WordPiece& operator=(const WordPiece&) = default;
  ~WordPiece() = default;

private:
  std::shared_ptr<const State> state_; ///< never null
};

/// Reads a tokenizer.json of Hugging Face with a model WordPiece, or a folder that contains one or, without
/// it, a vocab.txt with one token per line; then do_lower_case, strip_accents and tokenize_chinese_chars of
/// its tokenizer_config.json, if it is present, are honoured. Truncation and padding are not performed.
///
/// Errors  DataError if a file is invalid; UnsupportedError, naming the part, for anything in tokenizer.json
///         that mneme does not reproduce exactly, and for other tokenizers
WordPiece read_word_piece(const std::filesystem::path& folder_or_file);

/// The same from the text of a tokenizer.json. `name` is used in messages.
WordPiece parse_word_piece(std::string_view text, const std::string& name);

} // namespace mneme::tokens
