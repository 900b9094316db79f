// SPDX-License-Identifier: MIT

/// Trains the vocabulary of a byte-level BPE tokenizer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/core/error.h"
#include "mneme/core/progress.h"
#include "mneme/tokens/tokenizer.h"

namespace mneme::tokens {

struct TrainBpeOptions {
  int64_t vocab_size = 8192; ///< 256 bytes, merges and special tokens
  int64_t min_count = 2;     ///< pairs of tokens that occur less often are not merged
  /// Tokens with the last ids. Where they occur in the text, they separate it. <|endoftext|> is
  /// `end_of_text`.
  std::vector<std::string> special_tokens{"<|endoftext|>"};
  /// The result must be equal to this tokenizer, if it is not null: see UnexpectedTokenizer.
  const Tokenizer* expected = nullptr;
};

/// The result differs from TrainBpeOptions::expected.
class UnexpectedTokenizer : public UsageError {
public:
  using UsageError::UsageError;
};

/// Merges the most frequent pair of neighbouring tokens, again and again, starting from bytes. Pairs are
/// counted within pieces of the pattern of GPT-2, separately for every line (a line ends after its line
/// feed). Of several pairs of the same frequency, the one with the smallest bytes is merged, first compared
/// by the left token. The result is therefore a function of the set of lines: it does not depend on their
/// order, nor on the number of threads. Bytes that are not valid UTF-8 separate the text.
///
/// The ids are those of GPT-2: the 256 bytes (printable ones first), the merges, the special tokens. The
/// vocabulary is smaller than `vocab_size` if no pair occurs `min_count` times any more.
///
/// Errors  UsageError if vocab_size is less than 256 plus the special tokens, or for special tokens that have
///         less than 2 bytes or a line feed, are not UTF-8, or are given twice; UnexpectedTokenizer as soon
///         as the result must differ: before the text is read if sizes or special tokens do, else at the
///         first merge that does; Interrupted
/// Cost    O(n) for counting n bytes, in parallel; then O(m log m) for the m bytes of distinct pieces
Tokenizer train_bpe(std::span<const std::string_view> texts, const TrainBpeOptions& options,
                    Progress& progress);

} // namespace mneme::tokens
