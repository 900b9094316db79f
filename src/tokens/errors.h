// SPDX-License-Identifier: MIT

/// Errors of files with tokenizers and tokens.
#pragma once

#include <cstdint>
#include <string>

namespace mneme::tokens {

/// Throws DataError "<name>: <problem>.\n  <advice>". Unprintable bytes of `name` and `problem` are escaped,
/// because they may quote the file.
[[noreturn]] void fail(const std::string& name, const std::string& problem, const std::string& advice);

/// Errors  UsageError unless the id is in a vocabulary of this size
void check_id(int32_t id, int64_t vocab_size);

} // namespace mneme::tokens
