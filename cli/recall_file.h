// SPDX-License-Identifier: MIT

/// Stored patterns of `mneme recall` and its options in one file: --save and --load.
///
/// Format  .safetensors: `patterns` F64 [S, n], as they were read, and `labels` I64 [S] if there are any. The
///         metadata are "format" ("mneme.recall"), "version" ("1"), and two JSON objects: "set" has the shape
///         of images, the names of classes, threshold, scale and source of the patterns, "options" the
///         options of the command that change what is recalled
#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

#include "mneme/data/pattern_set.h"

namespace mneme::cli {

struct RecallFile {
  data::PatternSet patterns;
  nlohmann::json options; ///< an object
};

/// An existing file is replaced only once all bytes of the new one are on the disk. Errors  OutputError
void save_recall(const std::filesystem::path& path, const RecallFile& file);

/// Errors  DataError if it is another kind of file, of another version, or damaged
RecallFile load_recall(const std::filesystem::path& path);

} // namespace mneme::cli
