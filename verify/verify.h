// SPDX-License-Identifier: MIT

/// Runs golden cases, computed by the published code, against this build.
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
  data,        ///< documented numbers without cases: neither passed nor failed
  skipped,     ///< its cases are not computed on the requested device: neither passed nor failed
  unsupported, ///< a documented format that this build has no runner for: counts as one failed case
  bad          ///< not a golden file, unreadable, malformed, or with a missing or wrong field
};

struct FileResult {
  std::filesystem::path path;
  std::string format; ///< empty if unknown
  FileState state = FileState::checked;
  int64_t cases_passed = 0, cases_failed = 0;
  double worst_ratio = 0;            ///< largest error of any value, in units of its tolerance
  std::string worst_where;           ///< JSON path of that value, such as /cases/3/lune/17
  std::vector<std::string> messages; ///< the first few failures, or the error of the file
  std::vector<std::string> notes;    ///< how inexact values of the file were compared
};

struct VerifyOptions {
  /// Device of layers and their gradients: "cpu", "cuda", "cuda:1", or another that LibTorch finds. float32
  /// tolerances depend on it (device.h). Files that are computed without LibTorch are skipped on all devices
  /// but the CPU.
  std::string device = "cpu";
};

/// Whether checking any of the files, or of the files in the folders, needs LibTorch.
bool needs_torch(std::span<const std::filesystem::path> paths);

/// Runs all files; a folder is replaced by the `*.json` files in it, sorted by name. A bad file does not stop
/// the others.
///
/// The format of a file is its top-level field `class`, otherwise its name without `.json`.
///
/// Errors  those of checked_device (device.h), before any file is read; Interrupted
std::vector<FileResult> verify_paths(std::span<const std::filesystem::path> paths, Progress& progress,
                                     const VerifyOptions& options = {});

struct Totals {
  int64_t files = 0, cases_passed = 0, cases_failed = 0, bad_files = 0, skipped_files = 0;
  bool good() const { return cases_failed == 0 && bad_files == 0; }
};
Totals totals(std::span<const FileResult> results);

/// Prevents that a run in which all cases were skipped counts as passed.
///
/// Errors  UsageError if files were skipped and no case was run
void require_a_case(std::span<const FileResult> results, const std::string& device);

/// Report with one line per file, indented failures, and the total: "verify: 5 files, 211 cases passed, 0
/// failed". `device`: full name of the device that was used.
std::string to_text(std::span<const FileResult> results, const std::string& device = "cpu");
nlohmann::json to_json(std::span<const FileResult> results, const std::string& device = "cpu");

} // namespace mneme::verify
