// SPDX-License-Identifier: MIT

/// Training on bags for experiments and the program, without a word of LibTorch: a program links
/// mneme_experiments_nn, or mneme_experiments_no_nn and starts without loading it.
#pragma once

#include <span>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/training/bag_task.h"
#include "mneme/training/bag_trainer.h"

namespace mneme::experiments {

/// learn.cpp: true; no_learn.cpp: false. The functions below then throw UnsupportedError.
bool can_learn_from_bags();

/// training::train_bags.
std::vector<training::BagFit> learn_from_bags(std::span<const training::BagJob> jobs, Progress& progress,
                                              const training::BagJobDone& done = {});

/// What a checkpoint is worth.
struct BagCheckpoint {
  int64_t epochs = 0; ///< it was trained for
  int64_t num_parameters = 0;
  training::BagScore validation = {};
  training::BagAnswers answers = {}; ///< on the same bags
};

/// Errors  as BagTrainer::restore; UsageError if the job names no checkpoint
BagCheckpoint measure_checkpoint(const training::BagJob& job);

} // namespace mneme::experiments
