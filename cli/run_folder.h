// SPDX-License-Identifier: MIT

/// Check of output folders, used by all verbs that write one: a folder contains the results of one run.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mneme/core/folder_lock.h"

namespace mneme::cli {

/// Removes those folders of a path that did not exist before, unless something was written to them: a command
/// that is refused leaves none.
class UnusedFolders {
public:
  explicit UnusedFolders(std::filesystem::path path);
  UnusedFolders(UnusedFolders&& other) noexcept = default;
  UnusedFolders& operator=(UnusedFolders&&) = delete;
  ~UnusedFolders();

private:
  std::vector<std::filesystem::path> missing_; ///< the innermost first; empty after a move
};

/// A folder that this process writes a run to.
struct RunFolder {
  UnusedFolders unused;
  FolderLock lock; ///< destroyed first, which removes its file
};

/// Rules of a verb for a folder that already contains a run.
struct RunFolderRules {
  /// Numbers that may also be larger than before, so that a run can be resumed with more epochs or seeds.
  std::vector<std::string> may_grow = {};
  /// Rewrites a config.json of an earlier version of mneme as this version writes it.
  std::function<void(nlohmann::ordered_json& config)> update = {};
  /// False: a run with the same settings computes all results again.
  bool can_resume = true;
  /// Sentence that is added to the advice if settings differ.
  std::string advice = {};
};

/// Creates the folder, locks it until the result is destroyed, and checks that `run` resumes or repeats the
/// run that the folder contains, if it contains one. Existing files are not changed; the caller writes
/// config.json, with at least the entries of `run`, before or together with its results.
///
/// `run` contains the entries of config.json that identify the run: always "verb", and all settings that must
/// not differ from those of an existing config.json. Objects are compared entry by entry, so that the message
/// names the entries that differ; an object must have the same entries, while entries of config.json itself
/// that only the earlier run has are ignored.
///
/// Errors  UsageError if the folder contains a different run, a config.json that mneme has not written, or
///         results without a config.json; OutputError if it cannot be created or written to, or if another
///         process has locked it
[[nodiscard]] RunFolder open_run_folder(const std::filesystem::path& folder,
                                        const nlohmann::ordered_json& run, const RunFolderRules& rules = {});

/// The config.json of a folder if it is of a run of `mneme train`, else null. Its "task" is a text.
nlohmann::ordered_json read_train_config(const std::filesystem::path& folder);

/// The same if it is a run of `mneme train TASK`, else null. For numbers that a resumed run takes from the
/// earlier one; open_run_folder reports errors.
nlohmann::ordered_json read_run_config(const std::filesystem::path& folder, const std::string& task);

} // namespace mneme::cli
