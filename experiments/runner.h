// SPDX-License-Identifier: MIT

/// Runs experiments and saves each outcome as soon as it is finished.
#pragma once

#include <filesystem>
#include <functional>
#include <span>

#include "experiments/experiment.h"

namespace mneme::experiments {

/// A finished experiment.
struct Finished {
  const Experiment* experiment = nullptr;
  Outcome outcome = {};
  bool from_disk = false; ///< loaded from an earlier run with equal settings
  double seconds = 0;     ///< run time; 0 if loaded from disk
};

/// Runs each experiment unless its folder contains an outcome with the same key (outcome_file.h); with
/// `again` it is run in any case. If an experiment cannot be run, for example without data, a stored outcome
/// is kept. `done` is called once per experiment after its files are written, never concurrently: first for
/// outcomes loaded from disk, then for experiments that run concurrently, then for those with `is_parallel`.
///
/// Errors  exceptions of an experiment; OutputError; Interrupted. Outcomes finished before remain on disk,
///         and so do finished parts of the interrupted experiment (parts.h), which `again` deletes
void run_experiments(std::span<const Experiment* const> experiments, const RunSettings& settings,
                     const std::filesystem::path& folder, bool again, Progress& progress,
                     const std::function<void(Finished)>& done);

} // namespace mneme::experiments
