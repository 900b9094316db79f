// SPDX-License-Identifier: MIT

/// Output of `mneme inspect`: table, JSON document and page.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/leap_inspection.h"
#include "report/page.h"
#include "report/table.h"

namespace mneme::cli {

/// Where the names of tokens are from.
enum class TokenText {
  ids,   ///< no names: numbers
  bytes, ///< the ids are bytes: characters
  words, ///< one name per token of the vocabulary, as given
  bpe,   ///< bytes of each token of a tokenizer; ids that it does not have are shown as numbers
};

/// Names of tokens. Spaces, line breaks and tabs of bytes and of a tokenizer are visible.
class TokenNames {
public:
  TokenNames(TokenText kind, std::vector<std::string> words) : kind_(kind), words_(std::move(words)) {}
  std::string operator()(int64_t id) const;
  /// The name in a sentence or a table: with quotes if it is from a tokenizer, such as "␣at" or ",".
  std::string quoted(int64_t id) const;

private:
  TokenText kind_;
  std::vector<std::string> words_;
};

/// One row per head: window, mean gate, and the tokens with the largest attention weights for the last query.
/// `blank` is the space within an entry such as "f at 11"; a no-break space prevents line breaks there.
report::Table inspection_table(const LeapInspection& inspection, const TokenNames& names,
                               const char* blank = " ");

/// Predictions of the model, such as "next token: f (98 %), s (0.5 %); mean loss 0.21 nats per token".
std::string prediction_text(const LeapInspection& inspection, const TokenNames& names);

/// Size of the model, such as "2 layers of 4 heads".
std::string size_of(const LeapInspection& inspection);

/// The document is described in docs/how-to/explain_leap.md.
nlohmann::ordered_json inspection_json(const LeapInspection& inspection, const TokenNames& names);

report::Page inspection_page(const LeapInspection& inspection, const TokenNames& names,
                             const std::string& model);

} // namespace mneme::cli
