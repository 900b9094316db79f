// SPDX-License-Identifier: MIT

/// Comparison of published results of a single run with several runs of mneme.
#pragma once

#include <string>
#include <vector>

#include "experiments/experiment.h"

namespace mneme::experiments {

/// A loss or accuracy of one published run, and its values in our runs.
struct SingleRun {
  std::string what = {}; ///< such as "MLP, dense: training loss"
  double published = 0;
  std::vector<double> ours = {}; ///< one per seed, at least two
  int64_t cases = 0;             ///< number of cases of an accuracy; 0: a loss
  /// Accuracies of a model that has learned the task and of one that has not. An interval that contains all
  /// of them decides nothing. Empty: not checked.
  std::vector<double> alternatives = {};
};

struct SingleRuns {
  std::string title = {}, source = {}; ///< as in ComparisonTable
  double resolution = 0;               ///< half-width of the uncertainty of published values
  std::string resolution_source = {};  ///< cause of this uncertainty, such as "rounding"
  std::vector<SingleRun> runs = {};    ///< at least one; all with the same number of seeds
};

/// A published value is met if it is in the prediction interval of one more run of ours
/// (trials/confidence.h). Each interval has a confidence of 1 - 0.05 / m (Bonferroni correction for m
/// values), so that a published run from the same distribution meets all m values with a probability of at
/// least 95 %.
///
/// Errors  UsageError as trials::prediction_interval
ComparisonTable compare_single_runs(const SingleRuns& runs);

} // namespace mneme::experiments
