// SPDX-License-Identifier: MIT

/// Errors of files with tokenizers and tokens.
#pragma once

#include <string>

namespace mneme::tokens {

/// Throws DataError "<name>: <problem>.\n  <advice>". Unprintable bytes of `name` and `problem` are escaped,
/// because they may quote the file.
[[noreturn]] void fail(const std::string& name, const std::string& problem, const std::string& advice);

} // namespace mneme::tokens
