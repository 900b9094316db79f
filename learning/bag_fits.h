// SPDX-License-Identifier: MIT

/// Training on bags, declared without LibTorch (mneme/core/torch_function.h).
#pragma once

#include <span>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"
#include "mneme/training/bag_task.h"
#include "mneme/training/bag_trainer.h"

namespace mneme::learning {

/// training::train_bags. `done` may be empty.
inline constinit TorchFunction<std::vector<training::BagFit>(
    std::span<const training::BagJob> jobs, Progress& progress, const training::BagJobDone& done)>
    train_bags{"training on bags"};

/// Measures of a checkpoint.
struct BagCheckpoint {
  int64_t epochs = 0; ///< it was trained for
  int64_t num_parameters = 0;
  training::BagScore validation = {};
  training::BagAnswers answers = {}; ///< on the same bags
};

/// Errors  as BagTrainer::restore; UsageError if the job names no checkpoint
inline constinit TorchFunction<BagCheckpoint(const training::BagJob& job)> measure_checkpoint{
    "measuring a checkpoint"};

} // namespace mneme::learning
