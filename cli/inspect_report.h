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

/// Names of tokens: `words[id]` if `words` is not empty (it then has one entry per token of the vocabulary),
/// else the character of a byte or the id as a number.
class TokenNames {
public:
  /// `words`: a name per id; empty: ids are shown as numbers, or as characters if they are bytes.
  TokenNames(std::vector<std::string> words, bool ids_are_bytes)
      : words_(std::move(words)), ids_are_bytes_(ids_are_bytes) {}
  std::string operator()(int64_t id) const;

private:
  std::vector<std::string> words_;
  bool ids_are_bytes_;
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
