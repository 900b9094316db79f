// SPDX-License-Identifier: MIT

/// Repeated learning of a sparse AND from few samples; each trial draws its own function, samples and initial
/// parameters.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/data/sparse_and.h"
#include "mneme/training/binary_models.h"

namespace mneme::training {

struct SparseAndOptions {
  BinaryModel model = {}; ///< its context length is the number of input bits, including the rule token
  int64_t sparsity = 2;   ///< number of bits that the AND depends on
  bool with_rule = true;  ///< the last bit is a rule token, as in the published comparison
  data::SparseAndSampling sampling = {};
  int64_t training_samples = 200, validation_samples = 500;
  Schedule schedule = {};
  /// true: throws before training if the labels of any trial are all true or all false, which is possible
  /// only with `accept_last_try`. A constant model would classify all samples of such a trial correctly.
  bool both_classes_required = false;
  int64_t seeds = 1; ///< number of trials
  uint64_t seed =
      1; ///< base seed; each trial uses its own random stream, independent of the number of trials
};

struct SparseAndTrial {
  data::SparseAnd function = {};
  data::LabelledBits training = {}, validation = {};
  Fit fit = {};
  Score validation_score = {};
  double seconds = 0;
};

/// No batch of validation samples passed the checks of `draw_samples`.
class UnbalancedValidation : public data::UnbalancedSamples {
public:
  using UnbalancedSamples::UnbalancedSamples;
};

/// Called with the index of each finished trial; calls are serialised, in any order.
using TrialDone = std::function<void(int64_t number, const SparseAndTrial& trial)>;

/// Runs the trials in parallel, each on one thread. A trial depends only on the options and its index.
/// Progress advances by epochs; the caller starts its stage.
///
/// Errors  UsageError as `draw_samples` (UnbalancedValidation for validation samples), `initial_parameters`
///         and `fit`, if seeds < 1, or if a required class does not occur; Interrupted, after `done` has been
///         called for all finished trials
std::vector<SparseAndTrial> train_sparse_and(const SparseAndOptions& options, Progress& progress,
                                             const TrialDone& done = {});

} // namespace mneme::training
