// SPDX-License-Identifier: MIT

/// Trains a model to answer yes or no about bags of instances, or sequences.
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

/// Training, one epoch at a time, on the calling thread alone: a run has the same bits wherever it runs, and many
/// seeds run beside each other (`train_bags`).
class BagTrainer {
public:
  /// The task must outlive the trainer.
  ///
  /// Errors  UsageError if the task does not know the model, or the model has not that separation; if it has no bags, an option is out of its range, or bags of
  ///         several sizes are to share a batch
  BagTrainer(const BagTask& task, const BagModelChoice& model, const BagSchedule& schedule, uint64_t seed);
  BagTrainer(BagTrainer&&) noexcept;
  ~BagTrainer();

  /// All training bags once, in an order drawn for the epoch; then the validation.
  ///
  /// Errors  UsageError if the loss is no longer a finite number; Interrupted. The trainer then stands within an
  ///         epoch: only a new one goes on, from a checkpoint
  void epoch();

  bool finished() const; ///< all epochs, or stopped early
  bool stopped_early() const;
  const std::vector<BagEpoch>& epochs() const;
  int64_t num_parameters() const; ///< that are learnt

  BagScore validate(); ///< without dropout, as it is now
  /// Without dropout, per bag: above 0 is a yes, 1 / (1 + exp(-x)) how likely it is.
  std::vector<double> logits(const data::LabelledBags& bags);

  /// Everything that later epochs depend on. A run that goes on from there ends with the same numbers, bit for bit.
  ///
  /// Errors  OutputError
  void save(const std::filesystem::path& path) const;
  /// Errors  DataError if it is no checkpoint of such a run; UsageError if model, options or bags are not those it was
  ///         made with (only `epochs` and `patience` may differ)
  void restore(const std::filesystem::path& path);

private:
  struct State;
  std::unique_ptr<State> state_;
};

struct BagJob {
  const BagTask* task = nullptr;
  BagModelChoice model;
  BagSchedule schedule = {};
  uint64_t seed = 1;
  /// Written after every epoch; where it exists, training goes on from it. Empty: none.
  std::filesystem::path checkpoint = {};
};

/// Called with a job that has finished; one at a time, in any order.
using BagJobDone = std::function<void(const BagFit& fit)>;

/// All jobs, in parallel, each on one thread; in the order given. Progress is advanced by epochs; whoever shows it
/// starts the stage.
///
/// Errors  as BagTrainer; Interrupted after `done` was called for what had finished
std::vector<BagFit> train_bags(std::span<const BagJob> jobs, Progress& progress, const BagJobDone& done = {});

} // namespace mneme::training
