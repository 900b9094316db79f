// SPDX-License-Identifier: MIT

#include "mneme/training/bag_trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <stdexcept>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/nn/state_dict.h"
#include "mneme/training/checkpoint.h"
#include "training/bag_batch.h"
#include "training/bag_models.h"
#include "training/bag_prediction.h"
#include "training/trainer.h"

namespace mneme::training {
namespace {

/// Random streams by purpose.
enum Stream : uint64_t { kStart, kOrder, kDropout };

/// Text of checkpoints with BagSchedule::balanced_classes.
constexpr const char* kClassWeights = "class weights";
/// Text of checkpoints with BagSchedule::keeps_best.
constexpr const char* kKept = "kept parameters";

const TrainerChecks kChecks("mneme::training::BagTrainer");

[[noreturn]] void refuse(const std::string& what, const std::string& how_to_fix) {
  kChecks.refuse(what, how_to_fix);
}

std::string moment_name(const std::string& parameter, const char* moment) {
  return c10::str("adam.", moment, ".", parameter);
}

NamedParameters parameters_of(const BagModel& model) {
  NamedParameters parameters;
  for (const auto& item : model.named_parameters()) {
    parameters.emplace_back(item.key(), item.value());
  }
  return parameters;
}

void check(const BagTask& task, const BagSchedule& schedule, const std::string& model) {
  if (std::ranges::find(task.models, model) == task.models.end()) {
    refuse(c10::str("the task ", task.name, " has no model \"", model, "\"."),
           c10::str("Its models are: ", c10::Join(", ", task.models), "."));
  }
  kChecks.at_least("epochs", schedule.epochs, 1);
  kChecks.at_least("batch_size", schedule.batch_size, 1);
  kChecks.at_least("patience", schedule.patience, 0);
  kChecks.positive("learning_rate", schedule.learning_rate);
  kChecks.not_negative("weight_decay", schedule.weight_decay);
  kChecks.positive("gradient_norm_max", schedule.gradient_norm_max);
  if (!(schedule.probability_floor >= 0 && schedule.probability_floor < 0.5)) {
    refuse(c10::str("probability_floor is ", schedule.probability_floor, ", but must be in [0, 1/2)."),
           "0 means that probabilities are not clamped.");
  }
  for (const data::LabelledBags* bags : {&task.training, &task.validation}) {
    if (bags->count() == 0) {
      refuse(c10::str("the task ", task.name, " has ", task.training.count(), " training bags and ",
                      task.validation.count(), " validation bags, but must have at least 1 of each."),
             "Draw more bags.");
    }
    data::check(*bags);
    if (bags->instance_shape != task.training.instance_shape) {
      refuse(c10::str("the training instances have the shape [",
                      c10::Join(", ", task.training.instance_shape), "], but the validation instances [",
                      c10::Join(", ", bags->instance_shape), "]."),
             "Both sets must have the same features.");
    }
    for (int64_t bag = 0; bag < bags->count(); ++bag) {
      if (schedule.batch_size > 1 && bags->bag_size(bag) != task.training.bag_size(0)) {
        refuse(c10::str("bags of ", task.training.bag_size(0), " and of ", bags->bag_size(bag),
                        " instances cannot be in one batch, but batch_size is ", schedule.batch_size, "."),
               "Set batch_size to 1.");
      }
    }
  }
}

/// Throws a UsageError if a set of bags has another fingerprint than in the checkpoint.
void check_same_bags(const Checkpoint& checkpoint, const char* set, const std::string& ours) {
  const std::string& theirs = checkpoint.text(set);
  if (theirs == ours) {
    return;
  }
  const auto sizes = [](const std::string& fingerprint) { // such as "90 bags of [12]"
    return fingerprint.substr(0, fingerprint.rfind(','));
  };
  refuse(c10::str("the ", set, " have changed since the checkpoint ", checkpoint.source,
                  " was written: it has ", sizes(theirs), ", and now there are ",
                  sizes(theirs) == sizes(ours) ? "as many, with other numbers or classes" : sizes(ours), "."),
         "Restore the files with these bags, or use another path for the checkpoint (--out).");
}

/// `weights` [B]: of the bags; empty: all 1.
at::Tensor loss_of(const at::Tensor& logits, const at::Tensor& targets, double floor,
                   const std::optional<at::Tensor>& weights = {}) {
  if (floor == 0) {
    return at::binary_cross_entropy_with_logits(logits, targets, weights);
  }
  const at::Tensor probability = at::sigmoid(logits).clamp(floor, 1 - floor);
  const at::Tensor losses = -(targets * at::log(probability) + (1 - targets) * at::log(1 - probability));
  return (weights ? losses * *weights : losses).mean();
}

/// Weights of BagSchedule::balanced_classes: n / (2 n_c). 1 if all bags are of one class.
struct ClassWeights {
  double negative = 1, positive = 1;
};

ClassWeights balanced_weights(const data::LabelledBags& bags) {
  const auto count = static_cast<double>(bags.count()), positive = static_cast<double>(bags.num_positive());
  return positive == 0 || positive == count
             ? ClassWeights()
             : ClassWeights{.negative = count / (2 * (count - positive)), .positive = count / (2 * positive)};
}

/// Calls `compute`, which runs a model on bags that have been checked. Its layers throw only if a number is
/// not finite; `when` describes the call in the message.
template <class Compute> auto finite(const std::string& when, Compute compute) {
  try {
    return compute();
  } catch (const UsageError&) {
    kChecks.diverged("numbers of the model are not finite in " + when);
  }
}

double accuracy_of(const at::Tensor& logits, const at::Tensor& targets) {
  return (logits > 0).eq(targets > 0).to(at::kDouble).mean().item<double>();
}

void add(BagScore& sum, double loss, double accuracy) {
  sum.loss += loss;
  sum.accuracy += accuracy;
}

BagScore mean_of(const BagScore& sum, int64_t batches) {
  return {sum.loss / static_cast<double>(batches), sum.accuracy / static_cast<double>(batches)};
}

int64_t batches_of(const data::LabelledBags& bags, int64_t batch_size) {
  return (bags.count() + batch_size - 1) / batch_size;
}

/// The bags of a batch.
std::span<const int64_t> batch(const std::vector<int64_t>& order, int64_t index, int64_t size) {
  const int64_t first = index * size, count = static_cast<int64_t>(order.size());
  return std::span(order).subspan(static_cast<size_t>(first),
                                  static_cast<size_t>(std::min(size, count - first)));
}

std::vector<int64_t> all_of(const data::LabelledBags& bags) {
  std::vector<int64_t> indices(static_cast<size_t>(bags.count()));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

} // namespace

struct BagTrainer::State {
  const BagTask& task;
  BagModelChoice choice;
  BagSchedule schedule;
  uint64_t seed;
  Random random;
  BagModelSizes sizes;
  std::shared_ptr<BagModel> model;
  at::Generator generator;
  std::unique_ptr<torch::optim::AdamW> adam;
  std::vector<BagEpoch> epochs = {};
  nn::NamedTensors best = {}; ///< with keeps_best: the model after the best epoch

  int64_t steps_per_epoch() const { return batches_of(task.training, schedule.batch_size); }

  /// Everything that must be equal for a run to be resumed, as text.
  std::map<std::string, std::string> identity() const {
    std::map<std::string, std::string> identity{
        {"format", kBagFormat},
        {"task", task.name},
        {"model", choice.text()},
        {"instance shape", c10::str(c10::Join(" ", sizes.instance_shape))},
        {"bag size", std::to_string(sizes.bag_size)},
        {"training bags", fingerprint(task.training)},
        {"validation bags", fingerprint(task.validation)},
        {"batch_size", std::to_string(schedule.batch_size)},
        {"learning_rate", exact(schedule.learning_rate)},
        {"weight_decay", exact(schedule.weight_decay)},
        {"gradient_norm_max", exact(schedule.gradient_norm_max)},
        {"probability_floor", exact(schedule.probability_floor)},
        {"scored_after_step", schedule.scored_after_step ? "yes" : "no"},
        {"seed", std::to_string(seed)}};
    if (schedule.balanced_classes) { // checkpoints of early versions have no such text
      identity.emplace(kClassWeights, "balanced");
    }
    if (schedule.keeps_best) {
      identity.emplace(kKept, "best epoch");
    }
    return identity;
  }

  void make_adam() {
    adam = std::make_unique<torch::optim::AdamW>(
        model->parameters(),
        torch::optim::AdamWOptions(schedule.learning_rate).weight_decay(schedule.weight_decay));
  }

  /// Trains on the bags with these indices; adds loss and accuracy to `sum`.
  void step(std::span<const int64_t> indices, int64_t step_index, BagScore& sum) {
    throw_if_interrupted();
    const auto [bags, targets] = batch_of(task.training, indices);
    generator.set_current_seed(random.stream(kDropout).at(static_cast<uint64_t>(step_index)));
    adam->zero_grad();
    const std::string when = c10::str("step ", step_index);
    at::Tensor logits = finite(when, [&, &inputs = bags] { return model->forward(inputs); });
    std::optional<at::Tensor> weights;
    if (schedule.balanced_classes) {
      const ClassWeights of_class = balanced_weights(task.training);
      weights = targets * of_class.positive + (1 - targets) * of_class.negative;
    }
    const at::Tensor loss = loss_of(logits, targets, schedule.probability_floor, weights);
    const double value = loss.item<double>();
    kChecks.finite_loss(step_index, value);
    loss.backward();
    torch::nn::utils::clip_grad_norm_(model->parameters(), schedule.gradient_norm_max);
    try {
      adam->step();
    } catch (const std::runtime_error&) { // of LibTorch: a factor of the update is beyond float32
      kChecks.diverged(c10::str("with a learning rate of ", schedule.learning_rate, ", the update of ", when,
                                " is beyond the range of float32"));
    }
    if (schedule.scored_after_step) {
      const at::NoGradGuard no_gradient;
      logits = finite(when, [&, &inputs = bags] { return model->forward(inputs); });
    }
    add(sum, value, accuracy_of(logits.detach(), targets));
  }
};

BagTrainer::BagTrainer(const BagTask& task, const BagModelChoice& model, const BagSchedule& schedule,
                       uint64_t seed) {
  check(task, schedule, model.name);
  const OneThread one_thread;
  const Random random(seed);
  const BagModelSizes sizes = sizes_of(task.training, model.name);
  state_ = std::make_unique<State>(State{.task = task,
                                         .choice = model,
                                         .schedule = schedule,
                                         .seed = seed,
                                         .random = random,
                                         .sizes = sizes,
                                         .model = make_bag_model(sizes, model, random.stream(kStart).at(0)),
                                         .generator = at::detail::createCPUGenerator()});
  check_bags(sizes, model.name, task.validation);
  state_->model->set_generator(state_->generator);
  state_->make_adam();
}

BagTrainer::BagTrainer(BagTrainer&&) noexcept = default;
BagTrainer::~BagTrainer() = default;

void BagTrainer::epoch() {
  const OneThread one_thread;
  State& s = *state_;
  const auto done = static_cast<int64_t>(s.epochs.size()), steps = s.steps_per_epoch();
  const std::vector<int64_t> order = s.random.stream(kOrder)
                                         .stream(static_cast<uint64_t>(done))
                                         .distinct(s.task.training.count(), s.task.training.count());
  BagEpoch epoch;
  s.model->train();
  for (int64_t i = 0; i < steps; ++i) {
    s.step(batch(order, i, s.schedule.batch_size), done * steps + i, epoch.training);
  }
  epoch.training = mean_of(epoch.training, steps);
  const std::string when = c10::str("the validation of epoch ", done + 1);
  epoch.validation = finite(when, [&] { return validate(); });
  if (!std::isfinite(epoch.validation.loss)) {
    kChecks.diverged(
        c10::str("the loss in ", when, " is ", not_finite(epoch.validation.loss), ", but must be finite"));
  }
  s.epochs.push_back(epoch);
  if (s.schedule.keeps_best && best_epoch(s.epochs) == std::ssize(s.epochs)) {
    s.best = nn::state_dict(*s.model);
  }
}

void BagTrainer::load_best() {
  if (!state_->best.empty()) {
    nn::load_state_dict(*state_->model, state_->best, "the best epoch");
  }
}

bool BagTrainer::stopped_early() const {
  const int64_t patience = state_->schedule.patience;
  int64_t since = 0;
  double best = HUGE_VAL;
  for (const BagEpoch& epoch : epochs()) {
    since = epoch.validation.loss < best ? 0 : since + 1;
    best = std::min(best, epoch.validation.loss);
  }
  return patience > 0 && since >= patience;
}
bool BagTrainer::finished() const {
  return static_cast<int64_t>(epochs().size()) >= state_->schedule.epochs || stopped_early();
}
const std::vector<BagEpoch>& BagTrainer::epochs() const {
  return state_->epochs;
}
int64_t BagTrainer::num_parameters() const {
  return num_learned_parameters(*state_->model);
}

BagScore BagTrainer::validate() {
  const OneThread one_thread;
  const at::NoGradGuard no_gradient;
  const State& s = *state_;
  const data::LabelledBags& bags = s.task.validation;
  const std::vector<int64_t> order = all_of(bags);
  const int64_t batches = batches_of(bags, s.schedule.batch_size);
  s.model->eval();
  BagScore sum;
  for (int64_t i = 0; i < batches; ++i) {
    throw_if_interrupted();
    const auto [inputs, targets] = batch_of(bags, batch(order, i, s.schedule.batch_size));
    const at::Tensor logits = s.model->forward(inputs);
    add(sum, loss_of(logits, targets, s.schedule.probability_floor).item<double>(),
        accuracy_of(logits, targets));
  }
  return mean_of(sum, batches);
}

std::vector<double> BagTrainer::logits(const data::LabelledBags& bags) {
  data::check(bags);
  check_bags(state_->sizes, state_->choice.name, bags);
  std::vector<double> result;
  for (const BagPrediction& prediction : predict(*state_->model, bags, false)) {
    result.push_back(prediction.logit);
  }
  return result;
}

void BagTrainer::save(const std::filesystem::path& path) const {
  const State& s = *state_;
  Checkpoint checkpoint{.texts = s.identity()};
  at::Tensor epochs = at::empty({static_cast<int64_t>(s.epochs.size()), 4}, at::kDouble);
  double* to = epochs.mutable_data_ptr<double>();
  for (const auto& [training, validation] : s.epochs) {
    for (const double number : {training.loss, training.accuracy, validation.loss, validation.accuracy}) {
      *to++ = number;
    }
  }
  checkpoint.tensors.emplace("epochs", epochs);
  const auto floats = [](const std::vector<float>& numbers) { return at::tensor(numbers, at::kFloat); };
  if (s.task.standardization) {
    checkpoint.tensors.emplace(kFeatureMeans, floats(s.task.standardization->means));
    checkpoint.tensors.emplace(kFeatureDeviations, floats(s.task.standardization->deviations));
  }
  if (s.task.summary) {
    checkpoint.tensors.emplace(kTrainingMeans, floats(s.task.summary->features.means));
    checkpoint.tensors.emplace(kTrainingDeviations, floats(s.task.summary->features.deviations));
    const std::vector<uint64_t>& bags = s.task.summary->bags;
    checkpoint.tensors.emplace(kTrainingBags,
                               at::tensor(std::vector<int64_t>(bags.begin(), bags.end()), at::kLong));
  }
  for (const auto& [name, tensor] : nn::state_dict(*s.model)) {
    checkpoint.tensors.emplace(kBagModelPrefix + name, tensor);
  }
  for (const auto& [name, tensor] : s.best) {
    checkpoint.tensors.emplace(kBestPrefix + name, tensor);
  }
  save_moments<torch::optim::AdamWParamState>(*s.adam, parameters_of(*s.model), moment_name, checkpoint);
  save_checkpoint(path, checkpoint);
}

void BagTrainer::restore(const std::filesystem::path& path) {
  State& s = *state_;
  const Checkpoint checkpoint = load_checkpoint(path);
  const std::map<std::string, std::string> identity = s.identity();
  if (checkpoint.text("format") == kBagFormat) { // other bags explain other differences, such as the bag size
    for (const char* set : {"training bags", "validation bags"}) {
      check_same_bags(checkpoint, set, identity.at(set));
    }
  }
  if (checkpoint.texts.contains(kClassWeights) != s.schedule.balanced_classes) {
    refuse(c10::str("the checkpoint ", path.string(), " was made with",
                    s.schedule.balanced_classes ? "out" : "", " balanced class weights."),
           "Use the same class weights, or another path for the checkpoint.");
  }
  if (checkpoint.texts.contains(kKept) != s.schedule.keeps_best) {
    refuse(c10::str("the checkpoint ", path.string(), " has the parameters of the ",
                    s.schedule.keeps_best ? "last epoch alone." : "best epoch as well."),
           "Keep the same epoch (--keep), or use another path for the checkpoint.");
  }
  kChecks.same_run(checkpoint, identity, "a run on bags");
  std::vector<BagEpoch> epochs = epochs_in(checkpoint);
  nn::NamedTensors best;
  if (s.schedule.keeps_best) {
    for (const auto& [name, tensor] : nn::state_dict(*s.model)) {
      best.emplace(name, fitting(checkpoint, kBestPrefix + name, tensor));
    }
  }
  Moments moments = read_moments<torch::optim::AdamWParamState>(
      checkpoint, parameters_of(*s.model), moment_name, std::ssize(epochs) * s.steps_per_epoch());
  nn::load_state_dict(*s.model, parameters_in(checkpoint, kBagModelPrefix), path.string());
  // Everything has been checked: nothing below can fail and leave the trainer half restored.
  s.make_adam();
  put_moments(std::move(moments), *s.adam);
  s.epochs = std::move(epochs);
  s.best = std::move(best);
}

namespace {

BagFit run_job(const BagJob& job, Progress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  BagTrainer trainer(*job.task, job.model, job.schedule, job.seed);
  if (!job.checkpoint.empty() && std::filesystem::exists(job.checkpoint)) {
    trainer.restore(job.checkpoint);
    progress.skip(static_cast<int64_t>(trainer.epochs().size()));
  }
  while (!trainer.finished()) {
    trainer.epoch();
    if (!job.checkpoint.empty()) {
      trainer.save(job.checkpoint);
    }
    progress.advance();
  }
  trainer.load_best();
  return {.model = job.model.text(),
          .seed = job.seed,
          .num_parameters = trainer.num_parameters(),
          .epochs = trainer.epochs(),
          .stopped_early = trainer.stopped_early(),
          .keeps_best = job.schedule.keeps_best,
          .validation =
              classification_metrics(trainer.logits(job.task->validation), job.task->validation.targets),
          .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()};
}

} // namespace

std::vector<BagFit> train_bags(std::span<const BagJob> jobs, Progress& progress, const BagJobDone& done) {
  const OneThread one_thread;
  std::vector<BagFit> fits(jobs.size());
  std::mutex mutex; // serialises calls of `done`
  parallel_for(static_cast<int64_t>(jobs.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      fits[i] = run_job(jobs[i], progress);
      if (done) {
        const std::lock_guard lock(mutex);
        done(fits[i]);
      }
    }
  });
  return fits;
}

} // namespace mneme::training
