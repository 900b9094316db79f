// SPDX-License-Identifier: MIT

#include "experiments/runner.h"

#include <chrono>
#include <mutex>
#include <variant>
#include <vector>

#include "experiments/outcome_file.h"
#include "experiments/registry.h"
#include "learning/bag_fits.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"

namespace mneme::experiments {
namespace {

Finished run_one(const Experiment& experiment, const RunSettings& given, const std::filesystem::path& folder,
                 bool again, Progress& progress) {
  RunSettings settings = settings_of(experiment, given);
  settings.parts = Parts(folder_of(folder, experiment) / "parts", key_of(experiment, settings));
  if (again) {
    settings.parts.clear();
  }
  if (experiment.needs_torch && !learning::train_bags) {
    return {.experiment = &experiment,
            .outcome = {.skipped =
                            "this experiment needs LibTorch and the program mneme-nn, which is built by "
                            "`./dev nn` next to mneme."}};
  }
  const auto begin = std::chrono::steady_clock::now();
  Finished finished{.experiment = &experiment, .outcome = experiment.run(settings, progress)};
  finished.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (finished.outcome.skipped.empty()) { // do not overwrite an earlier outcome with a skipped one
    save_outcome(folder, experiment, settings, finished.outcome);
    settings.parts.clear();
  }
  return finished;
}

} // namespace

void run_experiments(std::span<const Experiment* const> experiments, const RunSettings& settings,
                     const std::filesystem::path& folder, bool again, Progress& progress,
                     const std::function<void(Finished)>& done) {
  std::vector<const Experiment*> concurrent, parallel;
  for (const Experiment* experiment : experiments) {
    Found found = again ? Found{} : find_outcome(folder, *experiment, settings_of(*experiment, settings));
    if (auto* outcome = std::get_if<Outcome>(&found)) {
      done({.experiment = experiment, .outcome = std::move(*outcome), .from_disk = true});
      continue;
    }
    if (const auto* problem = std::get_if<std::string>(&found)) {
      progress.message(*problem + "; running " + experiment->id + " again");
    }
    (experiment->is_parallel ? parallel : concurrent).push_back(experiment);
  }
  std::mutex one_at_a_time;
  if (!concurrent.empty()) {
    progress.start("experiments", static_cast<int64_t>(concurrent.size()));
    parallel_for(
        static_cast<int64_t>(concurrent.size()), 1,
        [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            Progress silent;
            Finished finished = run_one(*concurrent[static_cast<size_t>(i)], settings, folder, again, silent);
            const std::lock_guard lock(one_at_a_time);
            done(std::move(finished));
            progress.advance();
          }
        },
        LoopThreads::openmp); // experiments may use LibTorch
    progress.finish();
  }
  for (const Experiment* experiment : parallel) {
    throw_if_interrupted();
    done(run_one(*experiment, settings, folder, again, progress));
  }
}

} // namespace mneme::experiments
