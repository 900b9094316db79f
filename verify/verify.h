// SPDX-License-Identifier: MIT

/// Runs golden cases (numbers made by the published code) against this build.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mneme/core/progress.h"

namespace mneme::verify {

enum class FileState {
  checked,     ///< its cases were run
  data,        ///< documented numbers without a case in them: neither passed nor failed
  unsupported, ///< a documented format that this build has no runner for: counts as one failed case
  bad          ///< not a golden file, or unreadable, malformed, a field missing or of the wrong type
};

struct FileResult {
  std::filesystem::path path;
  std::string format; ///< empty where it could not be told
  FileState state = FileState::checked;
  int64_t cases_passed = 0, cases_failed = 0;
  double worst_ratio = 0;            ///< largest error of any value, in units of its tolerance
  std::string worst_where;           ///< JSON path of that value, such as /cases/3/lune/17
  std::vector<std::string> messages; ///< the first few failures, or what is wrong with the file
  std::vector<std::string> notes;    ///< how values were compared where the file itself is inexact
};

/// Runs every file; a folder stands for the `*.json` in it, sorted by name. A bad file never stops the
/// others.
///
/// The format of a file is its top-level field `class`, else its name without `.json`.
/// Errors  Interrupted
std::vector<FileResult> verify_paths(std::span<const std::filesystem::path> paths, Progress& progress);

struct Totals {
  int64_t files = 0, cases_passed = 0, cases_failed = 0, bad_files = 0;
  bool good() const { return cases_failed == 0 && bad_files == 0; }
};
Totals totals(std::span<const FileResult> results);

/// One line per file, failures indented, the total last: "verify: 5 files, 211 cases passed, 0 failed".
std::string to_text(std::span<const FileResult> results);
nlohmann::json to_json(std::span<const FileResult> results);

} // namespace mneme::verify
