// SPDX-License-Identifier: MIT

/// Training on bags and evaluation of checkpoints, declared without LibTorch (mneme/core/torch_function.h).
#pragma once

#include <span>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"
#include "mneme/training/bag_task.h"
#include "mneme/training/bag_trainer.h"

namespace mneme::learning {

/// Calls training::train_bags. `done` may be empty.
inline constinit TorchFunction<std::vector<training::BagFit>(
    std::span<const training::BagJob> jobs, Progress& progress, const training::BagJobDone& done)>
    train_bags{"training on bags"};

/// Measures of a checkpoint.
struct BagCheckpoint {
  int64_t epochs = 0; ///< number of epochs it was trained for
  int64_t num_parameters = 0;
  training::BagScore validation = {};
  training::ClassificationMetrics metrics = {}; ///< on the validation bags
};

/// Evaluates the checkpoint of a job on its validation bags.
///
/// Errors  as BagTrainer::restore; UsageError if the job has no checkpoint
inline constinit TorchFunction<BagCheckpoint(const training::BagJob& job)> measure_checkpoint{
    "measuring a checkpoint"};

} // namespace mneme::learning
