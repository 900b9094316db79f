// SPDX-License-Identifier: MIT

/// Training on bags and evaluation of checkpoints, declared without LibTorch (mneme/core/torch_function.h).
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"
#include "mneme/training/bag_classifier.h"
#include "mneme/training/bag_task.h"
#include "mneme/training/bag_trainer.h"

namespace mneme::learning {

/// Calls training::train_bags. `done` may be empty.
inline constinit TorchFunction<std::vector<training::BagFit>(
    std::span<const training::BagJob> jobs, Progress& progress, const training::BagJobDone& done)>
    train_bags{"training on bags"};

/// Checks that a job can be trained, without training.
///
/// Errors  as BagTrainer
inline constinit TorchFunction<void(const training::BagJob& job)> check_bag_job{"training on bags"};

/// Checks that a job can be resumed from its checkpoint, without training.
///
/// Errors  as BagTrainer::restore
inline constinit TorchFunction<void(const training::BagJob& job)> check_bag_checkpoint{"training on bags"};

/// Measures of a checkpoint.
struct BagCheckpoint {
  int64_t epochs = 0; ///< number of epochs after which its parameters were kept
  int64_t num_parameters = 0;
  training::BagScore validation = {};
  training::ClassificationMetrics metrics = {}; ///< on the validation bags
};

/// Evaluates the checkpoint of a job on its validation bags.
///
/// Errors  as BagTrainer::restore; UsageError if the job has no checkpoint
inline constinit TorchFunction<BagCheckpoint(const training::BagJob& job)> measure_checkpoint{
    "measuring a checkpoint"};

/// Evaluates a checkpoint on labelled bags.
///
/// Errors  as training::BagClassifier
inline constinit TorchFunction<BagCheckpoint(const std::filesystem::path& checkpoint,
                                             const data::LabelledBags& bags)>
    measure_on_bags{"evaluating a checkpoint"};

/// Summary of the training bags in a checkpoint (training::BagClassifier::training).
inline constinit TorchFunction<std::optional<training::BagSummary>(const std::filesystem::path& checkpoint)>
    training_summary{"reading a checkpoint"};

/// Applies a checkpoint to bags (training::BagClassifier::predict).
inline constinit TorchFunction<std::vector<training::BagPrediction>(
    const std::filesystem::path& checkpoint, const data::LabelledBags& bags, bool with_attention)>
    predict_bags{"classifying bags"};

} // namespace mneme::learning
