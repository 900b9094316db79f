// SPDX-License-Identifier: MIT

#include "learning/inspected_ids.h"

#include <algorithm>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::learning {

void check_ids(const std::string& source, std::span<const int64_t> ids, int64_t vocab_size,
               std::optional<int64_t> max_positions) {
  const auto invalid = std::ranges::find_if(ids, [&](int64_t id) { return id < 0 || id >= vocab_size; });
  if (invalid != ids.end()) {
    throw DataError(
        fmt::format("{}: token {} has the id {}, but the vocabulary of the model has {} tokens, 0 to "
                    "{}.\n  Use the tokenizer of the model.",
                    source, invalid - ids.begin(), *invalid, vocab_size, vocab_size - 1));
  }
  if (max_positions && static_cast<int64_t>(ids.size()) > *max_positions) {
    throw DataError(
        fmt::format("{}: the text has {} tokens, but the model has {} learned positions.\n  Shorten "
                    "the text, for example with --to {} of mneme inspect.",
                    source, ids.size(), *max_positions, *max_positions));
  }
}

void check_index(const char* option, const std::optional<int64_t>& requested, int64_t count) {
  if (requested && *requested >= count) {
    throw UsageError(
        fmt::format("{} {}: the model has {}, 0 to {}.\n  They are counted from 0, as in the names "
                    "of the parameters.",
                    option, *requested, count, count - 1));
  }
}

} // namespace mneme::learning
