// SPDX-License-Identifier: MIT

/// Trains models for binary classification of bags of instances, or of sequences.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/training/bag_task.h"

namespace mneme::training {

/// Training, one epoch at a time, on the calling thread alone: a run is reproducible bit for bit, and runs of
/// several seeds can be parallel (`train_bags`).
class BagTrainer {
public:
  /// The task must outlive the trainer.
  ///
  /// Errors  UsageError if the task does not have the model, the model does not support the separation or the
  ///         shape of the instances, a set has no bags or is inconsistent (data::check), instances of the two
  ///         sets differ in shape, an option is out of its range, bags of different sizes would be in one
  ///         batch, or the model needs bags of one size
  BagTrainer(const BagTask& task, const BagModelChoice& model, const BagSchedule& schedule, uint64_t seed);
  BagTrainer(BagTrainer&&) noexcept;
  ~BagTrainer();

  /// Trains one epoch, all training bags in an order drawn for the epoch, and then computes the validation
  /// score.
  ///
  /// Errors  UsageError if training diverges: a loss or a number of the model is not finite; Interrupted.
  ///         After an exception the trainer is within an epoch and must not be used further; resume from a
  ///         checkpoint with a new trainer
  void epoch();

  bool finished() const; ///< all epochs, or stopped early
  bool stopped_early() const;
  const std::vector<BagEpoch>& epochs() const;
  int64_t num_parameters() const; ///< learned parameters

  BagScore validate(); ///< score of the current parameters on the validation set, without dropout
  /// Logit of each bag, without dropout; the probability of the positive class is 1 / (1 + exp(-logit)).
  ///
  /// Errors  UsageError if the bags do not have the instances, or, where the model needs it, the size of the
  ///         training bags
  std::vector<double> logits(const data::LabelledBags& bags);

  /// With BagSchedule::keeps_best, replaces the current parameters by those after the best epoch. Training
  /// must not continue after this.
  void load_best();

  /// Writes a checkpoint with everything that later epochs depend on. A run resumed from it has the same
  /// results, bit for bit, as an uninterrupted one.
  ///
  /// Errors  OutputError
  void save(const std::filesystem::path& path) const;
  /// Reads a checkpoint.
  ///
  /// Errors  DataError if the file is not a checkpoint of a run on bags; UsageError if it was made with a
  ///         different model, options or bags (only `epochs` and `patience` may differ)
  void restore(const std::filesystem::path& path);

private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A training run.
struct BagJob {
  const BagTask* task = nullptr;
  BagModelChoice model;
  BagSchedule schedule = {};
  uint64_t seed = 1;
  /// Checkpoint file, written after every epoch; if it exists, training resumes from it. Empty: no
  /// checkpoint.
  std::filesystem::path checkpoint = {};
};

/// Called with the result of each finished job; calls are serialised, in any order.
using BagJobDone = std::function<void(const BagFit& fit)>;

/// Runs jobs in parallel, each on one thread; results are in the order of the jobs. Progress advances by
/// epochs; the caller starts its stage.
///
/// Errors  as BagTrainer; Interrupted after `done` has been called for all finished jobs
std::vector<BagFit> train_bags(std::span<const BagJob> jobs, Progress& progress, const BagJobDone& done = {});

} // namespace mneme::training
