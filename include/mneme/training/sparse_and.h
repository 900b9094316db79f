// SPDX-License-Identifier: MIT

/// Learning a sparse AND from few samples, many times: each seed draws its own function, samples and first weights.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/data/sparse_and.h"
#include "mneme/training/binary_models.h"

namespace mneme::training {

struct SparseAndOptions {
  BinaryModel model = {}; ///< its context length is that of the inputs, the rule token included
  int64_t sparsity = 2;
  bool with_rule = true; ///< as the published comparison, which draws from the form with a rule token
  data::SparseAndSampling sampling = {};
  int64_t training_samples = 200, validation_samples = 500;
  Schedule schedule = {};
  /// No trial is trained if the labels of one are all true or all false, which only `accept_last_try` allows: a model
  /// that always gives the same answer is then always right.
  bool both_classes_required = false;
  int64_t seeds = 1;
  uint64_t seed =
      1; ///< the first one; trial i uses a stream of its own, so it is the same whatever `seeds` is
};

struct SparseAndTrial {
  data::SparseAnd function = {};
  data::LabelledBits training = {}, validation = {};
  Fit fit = {};
  Score validated = {};
  double seconds = 0;
};

/// Called with the number of a trial that has finished; one at a time, in any order.
using TrialDone = std::function<void(int64_t number, const SparseAndTrial& trial)>;

/// Runs the trials in parallel, each on one thread. A trial depends on the options and its number alone. Progress
/// is advanced by epochs; whoever shows it starts the stage.
///
/// Errors  UsageError, as `draw_samples`, `initial_parameters` and `fit`, if seeds < 1, or if a required class is
///         missing; Interrupted, after `done` was called for what had finished
std::vector<SparseAndTrial> train_sparse_and(const SparseAndOptions& options, Progress& progress,
                                             const TrialDone& done = {});

} // namespace mneme::training
