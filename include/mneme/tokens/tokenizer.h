// SPDX-License-Identifier: MIT

/// Tokenizers: they convert texts into sequences of token ids and back.
///
/// A text is any sequence of bytes; it should be UTF-8. Two kinds are available: one token per byte, and
/// byte-level BPE as GPT-2 uses it. For both, decode(encode(text)) == text for arbitrary bytes, unless the
/// tokenizer normalizes a text, removes or adds white space, or puts a space in front of it
/// (`add_prefix_space`).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mneme::tokens {

struct EncodeOptions {
  /// Special tokens in the text, such as "<|endoftext|>", become their ids. By default they are plain text,
  /// so that a text from outside cannot end a document or a prompt.
  bool parse_special = false;
  /// The tokens that the tokenizer puts around a text for its model, such as <|begin_of_text|> of Llama 3,
  /// are added. GPT-2 has none.
  bool add_special = false;
};

/// A vocabulary and the rules that split a text into its tokens. Immutable and thread-safe; copies share
/// their state.
class Tokenizer {
public:
  /// One token per byte; the id is the value of the byte. No special tokens.
  static Tokenizer bytes();

  /// Number of ids: they are 0 to vocab_size() - 1.
  int64_t vocab_size() const;

  /// The ids of a text. Bytes that are not valid UTF-8 become one token each, and the text before and after
  /// them is encoded separately. Long texts that are split by the pattern of GPT-2 are encoded in parallel;
  /// ids do not depend on the number of threads.
  ///
  /// Cost  O(n log n) for n bytes, also without spaces; memory O(n) for the ids
  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const;

  /// Calls `use` with one block of ids after the other, so that the ids of a long text need not be in memory
  /// at once. Texts that cannot be encoded in parallel are one block.
  void encode_blocks(std::string_view text, const EncodeOptions& options,
                     const std::function<void(std::vector<int32_t>)>& use) const;

  /// The bytes of a sequence of ids. They may end within a character.
  ///
  /// Errors  UsageError for ids that are not in the vocabulary
  std::string decode(std::span<const int32_t> ids) const;

  /// The bytes of one token; for special tokens their text.
  ///
  /// Errors  UsageError if the id is not in the vocabulary
  std::string_view token_bytes(int32_t id) const;

  /// One token as tokenizer.json and vocab.json write it: bytes other than visible ASCII are replaced by
  /// printable characters, such as a space by U+0120; special and added tokens are unchanged.
  ///
  /// Errors  UsageError if the id is not in the vocabulary
  std::string token_text(int32_t id) const;

  /// True for tokens that are control symbols rather than text.
  /// Errors  UsageError if the id is not in the vocabulary
  bool is_special(int32_t id) const;

  /// The special tokens, in the order of their ids.
  std::vector<int32_t> special_tokens() const;

  /// Id of the token that ends a text or separates documents, if the tokenizer has one.
  std::optional<int32_t> end_of_text() const;

  /// The tokens that EncodeOptions::add_special puts before a text.
  const std::vector<int32_t>& before_text() const;

  /// Number of bytes of text that the ids represent, by which losses are divided to obtain bits per byte.
  /// Special tokens count 0.
  ///
  /// Errors  UsageError for ids that are not in the vocabulary
  int64_t text_bytes(std::span<const int32_t> ids) const;

  /// The pieces of a normalized text within which tokens are merged; no token crosses the border of a piece.
  /// Added tokens that are found in the text are pieces.
  std::vector<std::string> split(std::string_view text, const EncodeOptions& options = {}) const;

  /// Number of merges; 0 for tokens of one byte.
  int64_t num_merges() const;

  /// Description of the rules that split a text into pieces, such as "the pattern of GPT-2".
  std::string splitting() const;

  /// Description of the changes to a text before it is split, such as "NFC"; "none" if there are none.
  std::string normalizing() const;

  /// SHA-256 of the vocabulary, merges, normalizers and splitting rules, as 64 hexadecimal digits. Equal
  /// tokenizers have equal hashes, in whichever format they were stored.
  std::string hash() const;

  struct State;
  explicit Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  Tokenizer(const Tokenizer&) = default; ///< no move, which would leave a tokenizer without a state
  Tokenizer& operator=(const Tokenizer&) = default;
  ~Tokenizer() = default;
  const State& state() const { return *state_; }

private:
  std::shared_ptr<const State> state_; ///< never null
};

/// Reads a tokenizer from a tokenizer.json of Hugging Face, or from a folder that contains one or, without
/// it, the vocab.json and merges.txt of GPT-2. If the folder has a tokenizer_config.json, its `eos_token` is
/// `end_of_text`; otherwise that is the special token <|endoftext|>, <|end_of_text|> or </s>.
///
/// Errors  DataError if a file is invalid; UnsupportedError, naming the part, for anything in tokenizer.json
///         that mneme does not reproduce exactly
Tokenizer read_tokenizer(const std::filesystem::path& folder_or_file);
/// Whether a folder has files that `read_tokenizer` reads.
bool has_tokenizer(const std::filesystem::path& folder);

/// Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json. The folder is created if needed.
///
/// Errors  OutputError
void write_tokenizer(const std::filesystem::path& folder, const Tokenizer& tokenizer);

/// Converts a sum of losses in nats into bits per byte: nats / (ln 2 * text_bytes). Sum the losses of the
/// scored tokens, and count their bytes with `Tokenizer::text_bytes`.
///
/// Errors  UsageError if text_bytes < 1
double bits_per_byte(double nats, int64_t text_bytes);

} // namespace mneme::tokens
