// SPDX-License-Identifier: MIT

/// Published curves of models that learn from bags, beside ours over several seeds.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/experiment.h"
#include "mneme/training/bag_task.h"

namespace mneme::experiments {

struct BagComparison {
  std::string example; ///< its name among the published curves, such as "bit_pattern"
  std::string source;  ///< for readers
  /// Model of the task, and its name among the published curves.
  std::vector<std::pair<std::string, std::string>> models;
  int64_t seeds = 3;        ///< at least two, as single runs are compared (single_run.h)
  int64_t epochs_max = 0;   ///< all models stop there, and are compared there; 0: as published
  std::string not_compared; ///< as in ComparisonTable
};

/// Trains every model of the comparison with every seed, and puts the numbers of its last epoch beside the published
/// ones (single_run.h).
Outcome compare_bags(const training::BagTask& task, const BagComparison& comparison,
                     const RunSettings& settings, Progress& progress);

} // namespace mneme::experiments
