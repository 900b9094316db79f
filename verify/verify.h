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
  skipped,     ///< its cases are not computed on the device that was asked for: neither passed nor failed
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

struct VerifyOptions {
  /// Where layers are computed, with their gradients: "cpu", "cuda", "cuda:1", or another that LibTorch finds.
  /// Float32 tolerances depend on it (device.h). What is computed without LibTorch is skipped on all but the CPU.
  std::string device = "cpu";
};

/// True if one of the files, or of the files in the folders, is checked with LibTorch.
bool needs_torch(std::span<const std::filesystem::path> paths);

/// Runs every file; a folder stands for the `*.json` in it, sorted by name. A bad file never stops the
/// others.
///
/// The format of a file is its top-level field `class`, else its name without `.json`.
/// Errors  before any file is read those of checked_device (device.h); Interrupted
std::vector<FileResult> verify_paths(std::span<const std::filesystem::path> paths, Progress& progress,
                                     const VerifyOptions& options = {});

struct Totals {
  int64_t files = 0, cases_passed = 0, cases_failed = 0, bad_files = 0, skipped_files = 0;
  bool good() const { return cases_failed == 0 && bad_files == 0; }
};
Totals totals(std::span<const FileResult> results);

/// A run in which all cases were skipped must not look like one that has passed.
///
/// Errors  UsageError if files were skipped and no case was run
void require_a_case(std::span<const FileResult> results, const std::string& device);

/// One line per file, failures indented, the total last: "verify: 5 files, 211 cases passed, 0 failed".
/// `device`: the one they were verified on, by its full name.
std::string to_text(std::span<const FileResult> results, const std::string& device = "cpu");
nlohmann::json to_json(std::span<const FileResult> results, const std::string& device = "cpu");

} // namespace mneme::verify
