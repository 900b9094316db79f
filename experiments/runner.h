// SPDX-License-Identifier: MIT

/// Runs experiments into a folder, where each is kept as soon as it has finished.
#pragma once

#include <filesystem>
#include <functional>
#include <span>

#include "experiments/experiment.h"

namespace mneme::experiments {

struct Finished {
  const Experiment* experiment = nullptr;
  Outcome outcome = {};
  bool from_disk = false; ///< taken from an earlier run of equal settings
  double seconds = 0;     ///< of this run; 0 if taken from disk
};

/// Runs each experiment unless its folder holds an outcome of the same key (outcome_file.h); `again` runs it
/// anyway. One that cannot be run, for want of data, leaves what lies there as it is. `done` is called for each, one at
/// a time, after its files are written: first for those found on disk, then for those that run beside each other, then
/// for those that spread over threads by themselves.
///
/// Errors  what an experiment throws; OutputError; Interrupted. What had finished by then is kept
void run_experiments(std::span<const Experiment* const> experiments, const RunSettings& settings,
                     const std::filesystem::path& folder, bool again, Progress& progress,
                     const std::function<void(Finished)>& done);

} // namespace mneme::experiments
