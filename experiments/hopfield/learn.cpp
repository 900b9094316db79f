// SPDX-License-Identifier: MIT

#include "experiments/hopfield/learn.h"

namespace mneme::experiments {

bool can_learn_from_bags() {
  return true;
}

std::vector<training::BagFit> learn_from_bags(std::span<const training::BagJob> jobs, Progress& progress,
                                              const training::BagJobDone& done) {
  return training::train_bags(jobs, progress, done);
}

BagCheckpoint measure_checkpoint(const training::BagJob& job) {
  training::BagTrainer trainer(*job.task, job.model, job.schedule, job.seed);
  trainer.restore(job.checkpoint);
  const data::LabelledBags& bags = job.task->validation;
  return {.epochs = static_cast<int64_t>(trainer.epochs().size()),
          .num_parameters = trainer.num_parameters(),
          .validation = trainer.validate(),
          .answers = training::judge(trainer.logits(bags), bags.targets)};
}

} // namespace mneme::experiments
