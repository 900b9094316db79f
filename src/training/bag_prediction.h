// SPDX-License-Identifier: MIT

/// Use of trained models of bags, shared by BagTrainer and BagClassifier, and the names in their checkpoints.
#pragma once

#include <string>
#include <vector>

#include "mneme/nn/tensor_file.h"
#include "mneme/training/bag_classifier.h"
#include "mneme/training/checkpoint.h"
#include "training/bag_models.h"

namespace mneme::training {

inline constexpr const char* kBagFormat = "mneme bags 2";
inline const std::string kBagModelPrefix = "model."; ///< of the parameters
inline const std::string kBestPrefix = "best."; ///< of those after the best epoch (BagSchedule::keeps_best)
/// Tensors of BagTask::standardization, [numbers of an instance], float32.
inline constexpr const char* kFeatureMeans = "features.mean";
inline constexpr const char* kFeatureDeviations = "features.deviation";
/// Tensors of BagTask::summary: features, [numbers of an instance], float32, and hashes of the bags, [bags],
/// int64.
inline constexpr const char* kTrainingMeans = "training.mean";
inline constexpr const char* kTrainingDeviations = "training.deviation";
inline constexpr const char* kTrainingBags = "training.bags";

/// The parameters in a checkpoint whose names begin with this prefix, without the prefix.
nn::NamedTensors parameters_in(const Checkpoint& checkpoint, const std::string& prefix);

/// The epochs in a checkpoint.
///
/// Errors  DataError for a tensor of another type or shape
std::vector<BagEpoch> epochs_in(const Checkpoint& checkpoint);

int64_t num_learned_parameters(const BagModel& model);

/// Errors  UsageError if the bags do not have the instances, or, where the model needs it, the size of the
///         bags that the model was made for
void check_bags(const BagModelSizes& sizes, const std::string& model, const data::LabelledBags& bags);

/// Logits without dropout, one bag at a time on one thread; `with_attention` also computes the attention
/// weights, of models that have them.
std::vector<BagPrediction> predict(BagModel& model, const data::LabelledBags& bags, bool with_attention);

} // namespace mneme::training
