// SPDX-License-Identifier: MIT

/// Comparison of published training curves on bags with several seeds of mneme.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/experiment.h"
#include "mneme/training/bag_task.h"

namespace mneme::experiments {

struct BagComparison {
  std::string example; ///< key in the published curves, such as "bit_pattern"
  std::string source;  ///< as in ComparisonTable
  /// Model of the task, and its key in the published curves.
  std::vector<std::pair<std::string, std::string>> models;
  int64_t seeds = 3;        ///< at least two (single_run.h)
  int64_t epochs_max = 0;   ///< maximum number of epochs trained and compared; 0: as published
  std::string not_compared; ///< as in ComparisonTable
};

/// Trains every model of the comparison with every seed, and compares the values of the last epoch with the
/// published ones (single_run.h).
Outcome compare_bags(const training::BagTask& task, const BagComparison& comparison,
                     const RunSettings& settings, Progress& progress);

} // namespace mneme::experiments
