// SPDX-License-Identifier: MIT

#include "learning/bag_fits.h"

namespace mneme::learning {
namespace {

BagCheckpoint measure(const training::BagJob& job) {
  training::BagTrainer trainer(*job.task, job.model, job.schedule, job.seed);
  trainer.restore(job.checkpoint);
  const data::LabelledBags& bags = job.task->validation;
  return {.epochs = static_cast<int64_t>(trainer.epochs().size()),
          .num_parameters = trainer.num_parameters(),
          .validation = trainer.validate(),
          .metrics = training::classification_metrics(trainer.logits(bags), bags.targets)};
}

[[maybe_unused]] const bool implemented =
    train_bags.implement(training::train_bags) && measure_checkpoint.implement(measure);

} // namespace
} // namespace mneme::learning
