// SPDX-License-Identifier: MIT

/// Comparison of single published runs with several runs of ours.
#pragma once

#include <string>
#include <vector>

#include "experiments/experiment.h"

namespace mneme::experiments {

/// A loss or an accuracy of one published run, and that of each of ours.
struct SingleRun {
  std::string what = {}; ///< such as "MLP, dense: training loss"
  double published = 0;
  std::vector<double> ours = {}; ///< one per seed, at least two
  int64_t cases = 0;             ///< an accuracy over so many cases; 0: a loss
};

struct SingleRuns {
  std::string title = {}, source = {}; ///< as in ComparisonTable
  double resolution = 0;               ///< published numbers are known to within +- this
  std::string because = {};            ///< such as "rounding"
  std::vector<SingleRun> runs = {};    ///< at least one; all with equally many seeds
};

/// A number is met if it lies in the prediction interval of one more run of ours (trials/confidence.h). Each interval
/// has a confidence of 1 - 0.05 / m, so that a published run drawn like ours meets all m numbers with a
/// probability of at least 95 % (Bonferroni): at 95 % each, one number in twenty would be missed by chance.
///
/// Errors  UsageError as trials::prediction_interval
ComparisonTable compare_single_runs(const SingleRuns& runs);

} // namespace mneme::experiments
