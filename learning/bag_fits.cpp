// SPDX-License-Identifier: MIT

#include "learning/bag_fits.h"

#include <algorithm>
#include <cmath>

namespace mneme::learning {
namespace {

BagCheckpoint measure(const training::BagJob& job) {
  training::BagTrainer trainer(*job.task, job.model, job.schedule, job.seed);
  trainer.restore(job.checkpoint);
  trainer.load_best();
  const data::LabelledBags& bags = job.task->validation;
  return {.epochs =
              job.schedule.keeps_best ? training::best_epoch(trainer.epochs()) : std::ssize(trainer.epochs()),
          .num_parameters = trainer.num_parameters(),
          .validation = trainer.validate(),
          .metrics = training::classification_metrics(trainer.logits(bags), bags.targets)};
}

BagCheckpoint measure_bags(const std::filesystem::path& checkpoint, const data::LabelledBags& bags) {
  const training::BagClassifier classifier(checkpoint);
  std::vector<double> logits;
  double loss = 0;
  for (const training::BagPrediction& prediction : classifier.predict(bags)) {
    const double signed_logit = bags.targets[logits.size()] != 0 ? prediction.logit : -prediction.logit;
    // log(1 + exp(-x)) without overflow
    loss += std::log1p(std::exp(-std::abs(signed_logit))) + std::max(-signed_logit, 0.0);
    logits.push_back(prediction.logit);
  }
  const training::ClassificationMetrics metrics = training::classification_metrics(logits, bags.targets);
  return {.epochs = classifier.epochs(),
          .num_parameters = classifier.num_parameters(),
          .validation = {.loss = loss / static_cast<double>(bags.count()), .accuracy = metrics.accuracy},
          .metrics = metrics};
}

std::vector<training::BagPrediction> predict(const std::filesystem::path& checkpoint,
                                             const data::LabelledBags& bags, bool with_attention) {
  return training::BagClassifier(checkpoint).predict(bags, with_attention);
}

std::optional<training::BagSummary> summary_in(const std::filesystem::path& checkpoint) {
  return training::BagClassifier(checkpoint).training();
}

void check_job(const training::BagJob& job) {
  const training::BagTrainer trainer(*job.task, job.model, job.schedule, job.seed);
}

void check_checkpoint(const training::BagJob& job) {
  training::BagTrainer(*job.task, job.model, job.schedule, job.seed).restore(job.checkpoint);
}

[[maybe_unused]] const bool implemented =
    check_bag_job.implement(check_job) && check_bag_checkpoint.implement(check_checkpoint) &&
    train_bags.implement(training::train_bags) && measure_checkpoint.implement(measure) &&
    measure_on_bags.implement(measure_bags) && predict_bags.implement(predict) &&
    training_summary.implement(summary_in);

} // namespace
} // namespace mneme::learning
