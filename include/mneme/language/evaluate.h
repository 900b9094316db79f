// SPDX-License-Identifier: MIT

/// Loss of a language model on a text, by a named protocol.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "mneme/core/progress.h"
#include "mneme/tokens/tokenizer.h"

namespace mneme::language {

class Model;

/// The part of the text from which a token is predicted. Under every protocol, each token but the first of
/// the text is predicted exactly once.
enum class EvalProtocol {
  /// All tokens before it, in one call of the model. Memory grows with the text.
  full,
  /// All tokens before it, through the state of the model: one state through the whole text, in constant
  /// memory for recurrent models.
  carry,
  /// Windows of `window` tokens that begin `stride` tokens apart: all tokens after the first of the first
  /// window are predicted from it, and the last `stride` tokens of each later one, from at least
  /// window - stride tokens before them.
  windows,
};

struct EvalOptions {
  EvalProtocol protocol = EvalProtocol::windows;
  int64_t window = 512; ///< tokens that a window passes to the model; >= 1
  int64_t stride = 512; ///< 1 to window
};

struct EvalResult {
  double nats = 0;        ///< sum of the cross-entropies of all predicted tokens
  int64_t tokens = 0;     ///< predicted tokens: all but the first
  int64_t text_bytes = 0; ///< bytes of text of the predicted tokens; special tokens count 0
  int64_t windows = 1;    ///< calls that began without earlier tokens

  double loss() const { return nats / static_cast<double>(tokens); } ///< nats per token
  double perplexity() const { return std::exp(loss()); }
  /// nats / (ln 2 text_bytes); NaN if no predicted token is text.
  double bits_per_byte() const {
    return text_bytes > 0 ? tokens::bits_per_byte(nats, text_bytes)
                          : std::numeric_limits<double>::quiet_NaN();
  }
};

/// "carry", "full", or "window 512, stride 512", for output.
std::string name_of(const EvalOptions& options);

/// The model must be in evaluation mode.
///
/// Errors  UsageError for options out of their range, a text of fewer than two tokens, and windows or a text
///         (full, carry) longer than max_length of the model; Interrupted
EvalResult evaluate(Model& model, const tokens::Tokenizer& tokenizer, std::span<const int32_t> ids,
                    const EvalOptions& options, Progress& progress);

} // namespace mneme::language
