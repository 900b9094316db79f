// SPDX-License-Identifier: MIT

/// Output of `mneme tokenize info`.
#pragma once

#include <filesystem>
#include <string>

#include "cli/verb.h"
#include "mneme/tokens/token_file.h"

namespace mneme::cli {

/// Prints kind, sizes and special tokens of a tokenizer, and how it splits `sample`. `name` is where it was
/// read from.
void print_tokenizer_info(Context& context, const tokens::Tokenizer& tokenizer, const std::string& name,
                          const std::string& sample);

/// Prints the header of a token file.
void print_token_file_info(Context& context, const tokens::TokenFile& file,
                           const std::filesystem::path& path);

} // namespace mneme::cli
