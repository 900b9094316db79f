// SPDX-License-Identifier: MIT

/// What `mneme inspect` shows of a LEAP model's look at a text: a table, JSON, a page.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/leap_look.h"
#include "report/page.h"
#include "report/table.h"

namespace mneme::cli {

/// How tokens are called: `words` by id, one for each of the vocabulary, or nothing; then bytes as characters, or
/// ids.
class TokenNames {
public:
  TokenNames(std::vector<std::string> words, bool ids_are_bytes)
      : words_(std::move(words)), ids_are_bytes_(ids_are_bytes) {}
  std::string operator()(int64_t id) const;

private:
  std::vector<std::string> words_;
  bool ids_are_bytes_;
};

/// A row per head: how far it looks, its mean gate, and the tokens that the last reader looks at most.
/// `blank` stands within what must not be parted.
report::Table look_table(const Look& look, const TokenNames& names, const char* blank = " ");

/// "2 layers of 4 heads"
std::string size_of(const Look& look);

/// Documented in docs/how-to/explain_leap.md.
nlohmann::ordered_json look_json(const Look& look, const TokenNames& names);

report::Page look_page(const Look& look, const TokenNames& names, const std::string& model);

} // namespace mneme::cli
