// SPDX-License-Identifier: MIT

/// Checks that code, comments and pages use the field's terms instead of the phrases in banned_phrases.txt.
#pragma once

#include <filesystem>
#include <string>

#include "house/house_rules.h"

namespace mneme::house {

/// Searches the tree at `root` for the phrases of `list`, in the format that banned_phrases.txt describes.
/// Checks .h, .cpp, .cu, .md, .py, .cmake, .sh, .js, .css and .txt files in `root` itself, in the source
/// folders, tests, benchmarks, docs and cmake, and the script `dev`. Skips `list_path`, relative to `root`,
/// and docs/results, which `mneme reproduce` writes.
///
/// Errors  std::invalid_argument for a line of `list` that is not in the format
Inspection inspect_phrases(const std::filesystem::path& root, const std::string& list,
                           const std::string& list_path = "");

} // namespace mneme::house
