// SPDX-License-Identifier: MIT

/// Applies a trained model of bags to new bags.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "mneme/training/bag_task.h"

namespace mneme::training {

struct BagPrediction {
  double logit = 0; ///< the probability of the positive class is 1 / (1 + exp(-logit))
  /// Attention weight of each instance, with sum 1: the mean over heads and, for models with one state
  /// pattern per instance, over state patterns. Empty if not requested.
  std::vector<double> attention = {};
};

/// Model of a checkpoint of BagTrainer: that of the last epoch, or of the best one with
/// BagSchedule::keeps_best. Neither the training bags nor the options of the run are needed.
class BagClassifier {
public:
  /// Errors  DataError if the file is not a checkpoint of a run on bags
  explicit BagClassifier(const std::filesystem::path& checkpoint);
  BagClassifier(BagClassifier&&) noexcept;
  ~BagClassifier();

  /// Predictions without dropout; the labels of the bags are not used. Features are standardised as those of
  /// the training bags were (BagTask::standardization). The result does not depend on the number of threads.
  ///
  /// Errors  UsageError if the bags are inconsistent (data::check), if their instances have another shape
  ///         than those of the training bags, if the model needs bags of the size of the training bags, or if
  ///         attention is requested of a model that does not attend to instances (lookup, lstm); Interrupted
  std::vector<BagPrediction> predict(const data::LabelledBags& bags, bool with_attention = false) const;

  const BagModelChoice& model() const;
  const std::vector<int64_t>& instance_shape() const;
  /// BagTask::summary of the run; none in checkpoints of other tasks and of early versions.
  const std::optional<BagSummary>& training() const;
  int64_t epochs() const;         ///< number of epochs the model was trained for
  int64_t num_parameters() const; ///< learned parameters

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace mneme::training
