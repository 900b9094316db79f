// SPDX-License-Identifier: MIT

/// Continuation of a text by a language model.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mneme/language/model.h"
#include "mneme/language/sampler.h"
#include "mneme/tokens/tokenizer.h"

namespace mneme::language {

/// A text that a model has read: its recurrent state or cache, and its last token, which the model has not
/// received yet, because the state does not contain the logits after it.
struct TextContext {
  std::unique_ptr<ModelState> state;
  std::optional<int32_t> pending; ///< the last token
  /// The last tokens, the pending one included, for the repetition penalty: all of the text, or as many as a
  /// file has.
  std::vector<int32_t> recent;

  /// Number of tokens of the text.
  int64_t size() const { return (state ? state->position() : 0) + (pending ? 1 : 0); }
  TextContext clone() const;
};

/// An empty text.
TextContext start_context(const Model& model);

/// Writes a context with its last `recent` tokens. For recurrent models, its size does not depend on that of
/// the text. The file has a checksum of its contents (nn::add_checksum).
/// Errors  OutputError
void write_context(const std::filesystem::path& file, const TextContext& context, int64_t recent,
                   Model& model, const tokens::Tokenizer& tokenizer);

/// Reads a context. A file without a checksum, from an earlier version, is read as it is.
/// Errors  DataError, also if the contents do not have their checksum, or were written with other parameters,
///         the other kind of weights (model.h) or another tokenizer: the text would not continue as if it had
///         not been interrupted
TextContext read_context(const std::filesystem::path& file, Model& model, const tokens::Tokenizer& tokenizer);

/// Adds tokens to a text. The logits after the last one are computed by the next call of `generate`.
/// Errors  UsageError if the text becomes longer than max_length of the model
void add_tokens(Model& model, TextContext& context, std::span<const int32_t> ids);

struct GenerateOptions {
  int64_t max_tokens = 200;
  SamplerOptions sampler = {};
  /// The token at position i of sample s is drawn with a number that is a function of (seed, s, i), so that a
  /// text does not depend on how its prompt was divided, or on other samples.
  uint64_t seed = 1, sample = 0;
  std::vector<std::string> stop_strings = {};
  /// Tokens at which the text ends, besides the end-of-text token of the tokenizer.
  std::vector<int32_t> end_tokens = {};
  bool ignore_end = false; ///< do not stop at any of these
  /// After a stop string, the context ends with the text before it instead of the last token: its tokens are
  /// added again to a copy of the context from before the call. If the text ends within a token, its part of
  /// this token is encoded separately.
  bool removes_stop_string = false;
};

enum class StopReason {
  max_tokens,
  end_of_text, ///< the end-of-text token, or one of `end_tokens`
  stop_string,
  max_length, ///< the text has one token more than the model has positions
};

struct Generated {
  std::vector<int32_t> ids;          ///< all generated tokens, the one at which the text ends included
  std::string text;                  ///< their text, up to a stop string, without special tokens
  std::vector<double> probabilities; ///< of each token, among those that could be drawn
  StopReason reason = StopReason::max_tokens;
};

/// Continues a text; the context then includes the generated tokens (see `removes_stop_string`). `print`
/// receives the text in parts of whole characters as soon as they are certain, see TextStream. Tokens that
/// the tokenizer does not have are never drawn.
///
/// The text can become one token longer than max_length of the model, which does not receive the last one.
///
/// Errors  UsageError for an empty text, options out of their range, a tokenizer with more tokens than the
///         model, and a penalty over more tokens than `recent` has; Interrupted
Generated generate(Model& model, const tokens::Tokenizer& tokenizer, TextContext& context,
                   const GenerateOptions& options, const std::function<void(std::string_view)>& print = {});

/// The tokenizer of the folder of a model with this vocabulary; without tokenizer files, that of bytes if the
/// vocabulary has 256 or 257 words (257: a token that is not text).
///
/// Errors  DataError that names the missing files, or both vocabulary sizes if the tokenizer has more tokens
///         than the model, or both tokenizers if config.json has the hash of another one
///         ("training.tokenizer_sha256", which `mneme train lm` writes)
tokens::Tokenizer tokenizer_of(const std::filesystem::path& folder, int64_t vocab_size);

/// The token that texts without a prompt begin with: "bos_token_id" of generation_config.json, or
/// else of config.json, if the tokenizer has it.
std::optional<int32_t> recorded_start_token(const std::filesystem::path& folder,
                                            const tokens::Tokenizer& tokenizer);

/// The tokens at which texts of a model end: "eos_token_id", a number or a list, of generation_config.json,
/// or else of config.json; empty without one. Those that the tokenizer does not have are never generated.
///
/// Errors  DataError if it is neither
std::vector<int32_t> recorded_end_tokens(const std::filesystem::path& folder);

} // namespace mneme::language
