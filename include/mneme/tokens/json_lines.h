// SPDX-License-Identifier: MIT

/// Texts in files of JSON Lines: one JSON object per line, with the text of a document in one of its fields.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace mneme::tokens {

/// The texts in `field` of every line, in their order. Empty lines are skipped.
///
/// Errors  DataError, with the number of the line, for invalid JSON and for objects without this field
std::vector<std::string> parse_json_lines(std::string_view lines, const std::string& field,
                                          const std::string& name);
/// The file may be compressed by gzip.
std::vector<std::string> read_json_lines(const std::filesystem::path& path, const std::string& field);

} // namespace mneme::tokens
