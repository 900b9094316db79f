// SPDX-License-Identifier: MIT

/// Checks that the kinds of `mneme inspect` share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace mneme::learning {

/// Errors  DataError unless all ids are in the vocabulary and the model has a position for each; `source` is
///         the name of the text
void check_ids(const std::string& source, std::span<const int64_t> ids, int64_t vocab_size,
               std::optional<int64_t> max_positions);

/// Errors  UsageError if --layer or --head is `count` or more
void check_index(const char* option, const std::optional<int64_t>& requested, int64_t count);

} // namespace mneme::learning
