// SPDX-License-Identifier: MIT

#include "mneme/training/bag_trainer.h"

#include <cmath>

#include <ATen/ops/rand.h>
#include <torch/utils.h>

#include "core/temporary_folder.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/nn/hopfield_pooling.h"
#include "mneme/nn/state_dict.h"
#include "mneme/training/bag_classifier.h"
#include "mneme/training/checkpoint.h"
#include "ops/tensors.h"

namespace mneme::training {
namespace {

using mneme::testing::TemporaryFolder;
using ops::expect_contains;
using ops::usage_error_of;

BagTask latch() {
  return latch_task({.num_samples = 128, .num_instances = 6, .num_characters = 5});
}

BagTask bits() {
  return bit_pattern_task({.num_bags = 64, .num_instances = 4, .num_signals = 2, .num_bits = 6});
}

/// Random grey images with the labels 0 to 9 in turn.
BagTask digits() {
  data::PatternSet images{.patterns = RealPatterns(40, 28 * 28), .height = 28, .width = 28, .channels = 1};
  mneme::Random random(5);
  for (int64_t i = 0; i < 40; ++i) {
    std::ranges::generate(images.patterns[i], [&] { return std::floor(random.uniform() * 256) / 255; });
    images.labels.push_back(i % 10);
  }
  return digit_bag_task(images, 30, {.num_bags = 4, .mean_size = 3, .size_std = 1});
}

BagSchedule short_schedule(const BagTask& task, int64_t epochs = 3) {
  BagSchedule schedule = task.schedule;
  schedule.epochs = epochs;
  return schedule;
}

bool same(const std::vector<BagEpoch>& a, const std::vector<BagEpoch>& b) {
  return std::ranges::equal(a, b, [](const BagEpoch& x, const BagEpoch& y) {
    return x.training.loss == y.training.loss && x.training.accuracy == y.training.accuracy &&
           x.validation.loss == y.validation.loss && x.validation.accuracy == y.validation.accuracy;
  });
}

BagFit fit(const BagTask& task, const std::string& model, const BagSchedule& schedule,
           const std::filesystem::path& checkpoint = {}) {
  Progress silent;
  const BagJob job{.task = &task, .model = model, .schedule = schedule, .seed = 4, .checkpoint = checkpoint};
  return train_bags({&job, 1}, silent).front();
}

TEST(BagTrainer, LearnsTheLatchTask) {
  const BagTask task = latch_task({.num_samples = 512, .num_instances = 8, .num_characters = 6});
  for (const char* model : {"hopfield", "lookup-adapted"}) {
    BagSchedule schedule = short_schedule(task, 30);
    schedule.learning_rate = 1e-2;
    const BagFit result = fit(task, model, schedule);
    EXPECT_EQ(result.epochs.back().validation.accuracy, 1) << model;
    EXPECT_LT(result.epochs.back().validation.loss, 0.2 * result.epochs.front().training.loss) << model;
  }
}

TEST(BagTrainer, RunsEveryModelOfEveryTask) {
  for (const BagTask& task : {latch(), bits(), digits()}) {
    for (const std::string& model : task.models) {
      BagTrainer trainer(task, model, short_schedule(task, 1), 1);
      trainer.epoch();
      EXPECT_TRUE(trainer.finished());
      const BagEpoch& epoch = trainer.epochs().front();
      EXPECT_GT(epoch.training.loss, 0) << task.name << " " << model;
      EXPECT_TRUE(std::isfinite(epoch.validation.loss)) << task.name << " " << model;
      EXPECT_EQ(trainer.validate().loss, epoch.validation.loss); // validation is deterministic
    }
  }
}

TEST(BagTrainer, HasThePublishedNumbersOfParameters) {
  const BagTask task = bit_pattern_task();
  const auto parameters = [&](const char* model) {
    return BagTrainer(task, model, task.schedule, 1).num_parameters();
  };
  // in_proj 24 x 8 + 24, out_proj 8 x 8 + 8, three norms of 2 x 8; a readout of 128 + 1 or 8 + 1
  EXPECT_EQ(parameters("hopfield"), 192 + 24 + 64 + 8 + 48 + 129);
  EXPECT_EQ(parameters("pooling"), 192 + 24 + 64 + 8 + 48 + 8 + 9);
  EXPECT_EQ(parameters("lookup"), 192 + 24 + 64 + 8 + 48 + 255 * 8 + 129);
  EXPECT_EQ(parameters("lookup-adapted"), parameters("lookup")); // its targets are not learned
}

TEST(BagTrainer, ScoreMatchesTheFormulas) {
  const BagTask task = digits();
  BagTrainer trainer(task, "attention", task.schedule, 3);
  const std::vector<double> logits = trainer.logits(task.validation);
  double loss = 0, correct = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double p = std::clamp(1 / (1 + std::exp(-logits[i])), 1e-5, 1 - 1e-5),
                 y = task.validation.targets[i];
    loss -= (y * std::log(p) + (1 - y) * std::log(1 - p)) / static_cast<double>(logits.size());
    correct += (p > 0.5) == (y > 0.5) ? 1 : 0;
  }
  EXPECT_NEAR(trainer.validate().loss, loss, 1e-6); // float32
  EXPECT_DOUBLE_EQ(trainer.validate().accuracy, correct / static_cast<double>(logits.size()));
}

TEST(BagTrainer, DoesNotDependOnTheNumberOfThreadsOrOnParallelRuns) {
  const BagTask task = bits();
  const int before = threads();
  std::vector<BagFit> alone;
  set_threads(1);
  for (const uint64_t seed : {1, 2, 3}) {
    BagTrainer trainer(task, "hopfield-adapted", short_schedule(task), seed); // with dropout
    while (!trainer.finished()) {
      trainer.epoch();
    }
    alone.push_back({.epochs = trainer.epochs()});
  }
  set_threads(3);
  std::vector<BagJob> jobs;
  for (const uint64_t seed : {1, 2, 3}) {
    jobs.push_back(
        {.task = &task, .model = "hopfield-adapted", .schedule = short_schedule(task), .seed = seed});
  }
  Progress silent;
  int64_t done = 0;
  const std::vector<BagFit> together = train_bags(jobs, silent, [&](const BagFit&) { ++done; });
  set_threads(before);
  EXPECT_EQ(done, 3);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(together[i].seed, i + 1);
    EXPECT_TRUE(same(together[i].epochs, alone[i].epochs)) << i;
  }
  EXPECT_FALSE(same(alone[0].epochs, alone[1].epochs));
}

TEST(BagTrainer, RestoresTheDefaultGenerator) {
  const BagTask task = bits();
  torch::manual_seed(7);
  const at::Tensor expected = at::rand({3});
  torch::manual_seed(7);
  fit(task, "pooling-adapted", short_schedule(task, 1));
  EXPECT_TRUE(at::rand({3}).equal(expected));
}

TEST(BagTrainer, ResumesFromACheckpointBitForBit) {
  for (const BagTask& task : {bits(), latch(), digits()}) {
    const TemporaryFolder folder;
    const std::string model = task.name == "latch"         ? "lookup-adapted"
                              : task.name == "bit-pattern" ? "hopfield-adapted"
                                                           : "pooling";
    const BagFit uninterrupted = fit(task, model, short_schedule(task, 4));
    for (const int64_t stop : {0, 1, 3}) {
      const std::filesystem::path path = folder.path() / std::to_string(stop);
      BagTrainer trainer(task, model, short_schedule(task, 4), 4);
      for (int64_t i = 0; i < stop; ++i) {
        trainer.epoch();
      }
      trainer.save(path);
      EXPECT_TRUE(same(fit(task, model, short_schedule(task, 4), path).epochs, uninterrupted.epochs))
          << task.name << stop;
      EXPECT_TRUE(same(fit(task, model, short_schedule(task, 4), path).epochs, uninterrupted.epochs))
          << "finished";
    }
  }
}

TEST(BagTrainer, KeepsEveryFinishedEpochWhenInterrupted) {
  const TemporaryFolder folder;
  const BagTask task = bits();
  const std::filesystem::path path = folder.path() / "run.safetensors";
  class InterruptAfterTwo : public Progress {
  public:
    void advance(int64_t) override {
      if (++epochs_ == 2) {
        request_interrupt();
      }
    }

  private:
    int epochs_ = 0;
  } progress;
  const BagJob job{
      .task = &task, .model = "pooling", .schedule = short_schedule(task, 4), .seed = 4, .checkpoint = path};
  EXPECT_THROW(train_bags({&job, 1}, progress), Interrupted);
  clear_interrupt();
  EXPECT_EQ(load_checkpoint(path).tensor("epochs").size(0), 2);
  EXPECT_TRUE(same(fit(task, "pooling", short_schedule(task, 4), path).epochs,
                   fit(task, "pooling", short_schedule(task, 4)).epochs));
}

TEST(BagTrainer, StopsEarlyWhenTheValidationLossDoesNotDecrease) {
  const BagTask task = bits();
  BagSchedule schedule = short_schedule(task, 200);
  schedule.learning_rate = 0.05;
  schedule.patience = 5;
  const BagFit stopped = fit(task, "hopfield", schedule);
  ASSERT_TRUE(stopped.stopped_early);
  ASSERT_LT(stopped.epochs.size(), 200U);
  const auto last = stopped.epochs.end() - 5;
  double best = HUGE_VAL;
  for (auto epoch = stopped.epochs.begin(); epoch != last; ++epoch) {
    best = std::min(best, epoch->validation.loss);
  }
  EXPECT_TRUE(
      std::all_of(last, stopped.epochs.end(), [&](const BagEpoch& e) { return e.validation.loss >= best; }));
  schedule.patience = 0;
  schedule.epochs = static_cast<int64_t>(stopped.epochs.size()) + 1;
  EXPECT_EQ(fit(task, "hopfield", schedule).epochs.size(), stopped.epochs.size() + 1);
}

TEST(BagTrainer, KeepsTheModelOfTheBestEpochAlsoWhenResumed) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "run.safetensors";
  const BagTask task = bits();
  BagSchedule schedule = short_schedule(task, 40);
  schedule.learning_rate = 0.05;
  schedule.keeps_best = true;
  const BagFit whole = fit(task, "hopfield", schedule);
  const int64_t best = whole.kept_epoch();
  ASSERT_GT(best, 1);
  ASSERT_LT(best, 40) << "the validation loss has a minimum";
  for (const BagEpoch& epoch : whole.epochs) {
    EXPECT_GE(epoch.validation.loss, whole.epochs[static_cast<size_t>(best - 1)].validation.loss);
  }
  BagSchedule until_best = schedule;
  until_best.epochs = best;
  until_best.keeps_best = false;
  BagTrainer expected(task, "hopfield", until_best, 4);
  while (!expected.finished()) {
    expected.epoch();
  }
  // Interrupted after the best epoch.
  BagSchedule part = schedule;
  part.epochs = best + 2;
  fit(task, "hopfield", part, path);
  const BagFit resumed = fit(task, "hopfield", schedule, path);
  EXPECT_TRUE(same(resumed.epochs, whole.epochs));
  EXPECT_EQ(resumed.kept_epoch(), best);
  EXPECT_EQ(resumed.validation.area_under_curve, whole.validation.area_under_curve);
  BagTrainer restored(task, "hopfield", schedule, 4);
  restored.restore(path);
  EXPECT_EQ(restored.validate().loss, whole.epochs.back().validation.loss)
      << "training continues from the last";
  restored.load_best();
  EXPECT_EQ(restored.logits(task.validation), expected.logits(task.validation));
  const BagClassifier classifier(path);
  EXPECT_EQ(classifier.epochs(), best);
  std::vector<double> logits;
  for (const BagPrediction& prediction : classifier.predict(task.validation)) {
    logits.push_back(prediction.logit);
  }
  EXPECT_EQ(logits, expected.logits(task.validation));
  schedule.keeps_best = false;
  BagTrainer last(task, "hopfield", schedule, 4);
  expect_contains(usage_error_of([&] { last.restore(path); }), {"of the best epoch as well", "--keep"});
}

TEST(BagTrainer, RejectsACheckpointOfAnotherRun) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "run.safetensors";
  const BagTask task = bits(),
                other_bags =
                    bit_pattern_task({.num_bags = 64, .num_instances = 4, .num_signals = 3, .num_bits = 6});
  fit(task, "pooling", short_schedule(task, 1), path);
  const auto error = [&](const BagTask& bags, const std::string& model, double rate, uint64_t seed) {
    return usage_error_of([&] {
      BagSchedule schedule = short_schedule(task, 1);
      schedule.learning_rate = rate;
      BagTrainer(bags, model, schedule, seed).restore(path);
    });
  };
  expect_contains(error(task, "hopfield", 1e-3, 4),
                  {path.string(), "model pooling", "hopfield is requested"});
  expect_contains(error(task, "pooling", 1e-2, 4), {"learning_rate 0.001", "0.01"});
  expect_contains(error(task, "pooling", 1e-3, 5), {"seed 4", "5 is requested"});
  expect_contains(error(other_bags, "pooling", 1e-3, 4),
                  {"training bags have changed", path.string(),
                   "it has 48 bags of [6], and now there are as many, with"});
  BagTask edited = task;
  edited.validation.numbers.front() = 0.5F;
  expect_contains(
      error(edited, "pooling", 1e-3, 4),
      {"validation bags have changed", "it has 16 bags of [6], and now there are as many, with other"});

  Checkpoint broken = load_checkpoint(path);
  broken.tensors["epochs"] = at::zeros({1, 3});
  save_checkpoint(path, broken);
  EXPECT_THROW(BagTrainer(task, "pooling", task.schedule, 4).restore(path), DataError);
  broken = load_checkpoint(path);
  broken.texts["format"] = "something else";
  save_checkpoint(path, broken);
  EXPECT_THROW(BagTrainer(task, "pooling", task.schedule, 4).restore(path), DataError);
}

/// Bags of `sizes` instances with 3 features; a bag is positive if one of its instances has a large first
/// feature.
data::LabelledBags own_bags(const std::vector<int64_t>& sizes, uint64_t seed = 9) {
  data::LabelledBags bags{.instance_shape = {3}};
  mneme::Random random(seed);
  for (size_t bag = 0; bag < sizes.size(); ++bag) {
    const bool positive = bag % 2 == 1;
    const int64_t signal =
        positive ? static_cast<int64_t>(random.below(static_cast<uint64_t>(sizes[bag]))) : -1;
    for (int64_t i = 0; i < sizes[bag]; ++i) {
      for (int feature = 0; feature < 3; ++feature) {
        bags.numbers.push_back(
            static_cast<float>(0.3 * random.normal() + (i == signal && feature == 0 ? 3 : 0)));
      }
    }
    bags.offsets.push_back(bags.offsets.back() + sizes[bag]);
    bags.targets.push_back(positive ? 1 : 0);
  }
  return bags;
}

const std::vector<int64_t> kSeveralSizes{2, 5, 3, 4, 4, 2, 6, 3}, kOneSize(8, 4);

TEST(BagTrainer, TrainsEveryModelOnOwnBags) {
  for (const std::vector<int64_t>& sizes : {kOneSize, kSeveralSizes}) {
    const BagTask task = own_bag_task(own_bags(sizes), own_bags(sizes, 10));
    for (const std::string& model : task.models) {
      const bool needs_one_size = model.starts_with("hopfield") || model.starts_with("lookup");
      if (needs_one_size && sizes == kSeveralSizes) {
        expect_contains(usage_error_of([&] { const BagTrainer trainer(task, model, task.schedule, 1); }),
                        {"the model " + model, "same size"});
        continue;
      }
      BagTrainer trainer(task, model, task.schedule, 1);
      trainer.epoch();
      EXPECT_TRUE(std::isfinite(trainer.epochs().front().validation.loss)) << model;
    }
  }
}

TEST(BagTrainer, GivesBothClassesTheSameWeightInTheLoss) {
  data::LabelledBags bags = own_bags(kOneSize);
  bags.targets = {0, 0, 0, 0, 0, 0, 0, 1};
  const BagTask task = own_bag_task(bags, bags);
  BagSchedule schedule = short_schedule(task, 1);
  schedule.batch_size = bags.count(); // one step: its loss is that of the initial model
  BagTrainer plain(task, "attention", schedule, 4), initial(task, "attention", schedule, 4);
  schedule.balanced_classes = true;
  BagTrainer balanced(task, "attention", schedule, 4);
  const std::vector<double> logits = initial.logits(bags);
  double expected = 0, unweighted = 0;
  for (size_t bag = 0; bag < logits.size(); ++bag) {
    const bool positive = bags.targets[bag] == 1;
    const double loss = std::log1p(std::exp(positive ? -logits[bag] : logits[bag]));
    unweighted += loss / 8;
    expected += loss / 8 * (positive ? 8.0 / 2 : 8.0 / 14);
  }
  plain.epoch();
  balanced.epoch();
  EXPECT_NEAR(plain.epochs()[0].training.loss, unweighted, 1e-6);
  EXPECT_NEAR(balanced.epochs()[0].training.loss, expected, 1e-6);
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "run.safetensors";
  balanced.save(path);
  expect_contains(usage_error_of([&] { plain.restore(path); }), {"made with balanced class weights"});
  plain.save(path);
  expect_contains(usage_error_of([&] { balanced.restore(path); }), {"made without balanced class weights"});
}

TEST(BagTrainer, ReportsThatTrainingDiverged) {
  const BagTask task = own_bag_task(own_bags(kOneSize), own_bags(kOneSize, 10));
  BagSchedule schedule = short_schedule(task, 20);
  const auto expect_diverged = [&](const std::string& model, double learning_rate, const std::string& why) {
    schedule.learning_rate = learning_rate;
    expect_contains(usage_error_of([&] { fit(task, model, schedule); }),
                    {"training diverged: " + why, "smaller learning rate (--learning-rate)"});
  };
  schedule.batch_size = 1; // several steps per epoch
  expect_diverged("attention", 1e30, "the loss of step 2 is not a number");
  expect_diverged("pooling", 1e30, "numbers of the model are not finite in step");
  expect_diverged("attention", 1e38, "with a learning rate of 1e+38, the update of step 0 is beyond");
  schedule.batch_size = task.training.count(); // only the validation shows it
  schedule.epochs = 2;
  expect_diverged("attention", 1e30, "the loss in the validation of epoch 2");
  expect_diverged("pooling", 1e30, "numbers of the model are not finite in the validation of epoch 1");
}

TEST(BagTrainer, RefusesBagsThatDoNotFit) {
  const BagTask task = own_bag_task(own_bags(kOneSize), own_bags(kOneSize, 10));
  const auto refused = [](const BagTask& changed, const std::string& model,
                          const std::vector<std::string>& parts) {
    expect_contains(usage_error_of([&] { const BagTrainer trainer(changed, model, {.batch_size = 1}, 1); }),
                    parts);
  };
  BagTask changed = task;
  changed.validation = to_labelled_bags(data::draw_bit_bags({.num_bags = 4, .num_instances = 4}));
  refused(changed, "pooling", {"[3]", "[8]"});
  changed = task;
  changed.validation = own_bags(kSeveralSizes);
  refused(changed, "hopfield", {"bags of 4 instances", "bag 0 has 2"});
  changed = task;
  changed.training.offsets[1] = 0;
  refused(changed, "pooling", {"bag 0 has 0 instances"});
  changed = task;
  changed.training.numbers[0] = INFINITY;
  refused(changed, "pooling", {"inf"});
  changed = task;
  for (data::LabelledBags* bags : {&changed.training, &changed.validation}) {
    bags->instance_shape = {1, 1, 3}; // images, but not of 28 x 28 pixels
  }
  refused(changed, "attention", {"[1, 1, 3]", "[1, 28, 28]"});
  changed.models = {"unknown"};
  changed.training.instance_shape = changed.validation.instance_shape = {3};
  refused(changed, "unknown", {"no model \"unknown\""});

  BagTrainer trainer(task, "hopfield", task.schedule, 1);
  expect_contains(usage_error_of([&] { trainer.logits(own_bags(kSeveralSizes)); }), {"bag 0 has 2"});
  expect_contains(usage_error_of([&] { trainer.logits(bits().training); }), {"[3]", "[6]"});
}

TEST(BagClassifier, PredictsWhatTheTrainerPredicts) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "run.safetensors";
  const data::LabelledBags bags = own_bags(kOneSize, 11);
  const BagTask task = own_bag_task(own_bags(kOneSize), own_bags(kOneSize, 10));
  for (const std::string& model : task.models) {
    const BagModelChoice choice(model, model == "pooling" ? SimplexSeparation::sparsemax
                                                          : SimplexSeparation::softmax);
    BagTrainer trainer(task, choice, task.schedule, 2);
    trainer.epoch();
    trainer.save(path);
    const BagClassifier classifier(path);
    EXPECT_EQ(classifier.epochs(), 1);
    EXPECT_EQ(classifier.num_parameters(), trainer.num_parameters()) << model;
    EXPECT_EQ(classifier.model().text(), choice.text());
    const std::vector<double> expected = trainer.logits(bags);
    const std::vector<BagPrediction> predictions = classifier.predict(bags);
    for (size_t bag = 0; bag < expected.size(); ++bag) {
      EXPECT_EQ(predictions[bag].logit, expected[bag]) << model;
      EXPECT_TRUE(predictions[bag].attention.empty());
    }
    if (model.starts_with("lookup") || model == "lstm") {
      expect_contains(usage_error_of([&] { classifier.predict(bags, true); }), {model, "does not attend"});
      continue;
    }
    for (const BagPrediction& prediction : classifier.predict(bags, true)) {
      ASSERT_EQ(prediction.attention.size(), 4U) << model;
      double sum = 0;
      for (const double weight : prediction.attention) {
        EXPECT_GE(weight, 0);
        sum += weight;
      }
      EXPECT_NEAR(sum, 1, 1e-5) << model; // float32
    }
  }
}

TEST(BagClassifier, AttendsToTheInstanceThatDecides) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "run.safetensors";
  std::vector<int64_t> sizes;
  for (int bag = 0; bag < 120; ++bag) {
    sizes.push_back(3 + bag % 5);
  }
  const BagTask task = own_bag_task(own_bags(sizes), own_bags(sizes, 10));
  BagSchedule schedule = short_schedule(task, 25);
  schedule.learning_rate = 2e-2;
  const data::LabelledBags& bags = task.validation;
  Progress silent; // with many other seeds, attention stays away from the large feature
  const BagJob job{.task = &task, .model = "attention", .schedule = schedule, .seed = 5, .checkpoint = path};
  const BagFit trained = train_bags({&job, 1}, silent).front();
  EXPECT_GT(trained.epochs.back().validation.accuracy, 0.95);
  const std::vector<BagPrediction> predictions = BagClassifier(path).predict(bags, true);
  int64_t found = 0;
  for (int64_t bag = 1; bag < bags.count(); bag += 2) { // the positive bags
    const std::vector<double>& weights = predictions[size_t(bag)].attention;
    const auto most = std::ranges::max_element(weights) - weights.begin();
    found += bags.numbers[size_t((bags.offsets[size_t(bag)] + most) * 3)] > 1.5F ? 1 : 0;
  }
  EXPECT_GE(found, 57) << "of 60";
}

TEST(BagClassifier, ParametersLoadIntoHopfieldPooling) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "run.safetensors";
  const BagTask task = own_bag_task(own_bags(kSeveralSizes), own_bags(kSeveralSizes, 10));
  fit(task, "pooling", short_schedule(task, 2), path);
  const nn::TensorFile file = nn::read_tensor_file(path, "model.association");
  nn::HopfieldPooling pooling{nn::HopfieldPoolingOptions(3)};
  EXPECT_TRUE(nn::load_state_dict(*pooling, file.tensors, path.string()).empty());
  const nn::TensorFile readout = nn::read_tensor_file(path, "model.readout");
  const data::LabelledBags bags = slice(task.validation, 1, 2);
  const at::Tensor instances = at::tensor(bags.numbers).view({1, bags.bag_size(0), 3});
  const at::Tensor logit =
      at::linear(pooling->forward(instances), readout.tensors.at("weight"), readout.tensors.at("bias"));
  EXPECT_NEAR(logit.item<double>(), BagClassifier(path).predict(bags).front().logit, 1e-6);
}

TEST(BagClassifier, StandardizesBagsAsTheTrainingBags) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "run.safetensors";
  const data::LabelledBags given = own_bags(kSeveralSizes, 10);
  BagTask task = own_bag_task(own_bags(kSeveralSizes), given);
  task.standardization = standardization_of(task.training);
  standardize(task.training, *task.standardization);
  standardize(task.validation, *task.standardization);
  task.summary =
      BagSummary{.features = {.means = {1, 2, 3}, .deviations = {4, 5, 6}}, .bags = {3, ~uint64_t{0}}};
  fit(task, "pooling", short_schedule(task, 2), path);
  BagTrainer trainer(task, "pooling", short_schedule(task, 2), 4);
  trainer.restore(path);
  const std::vector<double> logits = trainer.logits(task.validation);
  const std::vector<BagPrediction> predictions = BagClassifier(path).predict(given);
  for (size_t bag = 0; bag < logits.size(); ++bag) {
    EXPECT_EQ(predictions[bag].logit, logits[bag]);
  }
  EXPECT_EQ(BagClassifier(path).training().value().features.deviations, task.summary->features.deviations);
  EXPECT_EQ(BagClassifier(path).training()->bags, task.summary->bags);
  Checkpoint changed = load_checkpoint(path);
  changed.tensors["features.mean"] = at::zeros({2});
  save_checkpoint(path, changed);
  EXPECT_THROW(BagClassifier{path}, DataError);
}

TEST(BagClassifier, RejectsOtherFiles) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "run.safetensors";
  const BagTask task = own_bag_task(own_bags(kOneSize), own_bags(kOneSize, 10));
  fit(task, "lookup", short_schedule(task, 1), path);
  const Checkpoint good = load_checkpoint(path);
  const auto rejected = [&](const std::function<void(Checkpoint&)>& change) {
    Checkpoint changed = good;
    change(changed);
    save_checkpoint(path, changed);
    EXPECT_THROW(BagClassifier{path}, DataError);
  };
  rejected([](Checkpoint& c) { c.texts["format"] = "something else"; });
  rejected([](Checkpoint& c) { c.texts["model"] = "transformer"; });
  rejected([](Checkpoint& c) { c.texts["model"] = "pooling, maximum"; });
  rejected([](Checkpoint& c) { c.texts["model"] = "pooling"; });
  rejected([](Checkpoint& c) { c.texts["instance shape"] = "three"; });
  rejected([](Checkpoint& c) { c.texts["instance shape"] = ""; });
  rejected([](Checkpoint& c) { c.texts["instance shape"] = "0"; });
  rejected([](Checkpoint& c) { c.texts["instance shape"] = "9000000000000000000"; });
  rejected([](Checkpoint& c) { c.texts["bag size"] = "4 4"; });
  rejected([](Checkpoint& c) { c.texts["bag size"] = "-1"; });
  rejected([](Checkpoint& c) { c.texts.erase("bag size"); });
  rejected([](Checkpoint& c) { c.tensors.erase("model.association.lookup_weights"); });
  rejected([](Checkpoint& c) { c.tensors["model.association.lookup_weights"] = at::zeros({3}); });
  rejected([](Checkpoint& c) { c.tensors.erase("model.readout.weight"); });
}

TEST(BagTrainer, RejectsInvalidArguments) {
  const BagTask task = bits();
  const auto with = [&](const std::function<void(BagSchedule&)>& change) {
    BagSchedule schedule = task.schedule;
    change(schedule);
    return usage_error_of([&] { const BagTrainer trainer(task, "pooling", schedule, 1); });
  };
  expect_contains(with([](auto& s) { s.epochs = 0; }), {"epochs is 0", "at least 1"});
  expect_contains(with([](auto& s) { s.batch_size = 0; }), {"batch_size is 0"});
  expect_contains(with([](auto& s) { s.patience = -1; }), {"patience is -1"});
  expect_contains(with([](auto& s) { s.learning_rate = 0; }), {"learning_rate is 0", "must be > 0"});
  expect_contains(with([](auto& s) { s.weight_decay = -1; }), {"weight_decay is -1"});
  expect_contains(with([](auto& s) { s.gradient_norm_max = std::nan(""); }), {"gradient_norm_max is nan"});
  expect_contains(with([](auto& s) { s.probability_floor = 0.5; }), {"probability_floor is 0.5", "[0, 1/2)"});
  expect_contains(usage_error_of([&] { const BagTrainer trainer(task, "lstm", task.schedule, 1); }),
                  {"no model \"lstm\"", "hopfield, hopfield-adapted"});
  const BagTask images = digits();
  BagSchedule schedule = images.schedule;
  schedule.batch_size = 2;
  expect_contains(usage_error_of([&] { const BagTrainer trainer(images, "attention", schedule, 1); }),
                  {"batch_size is 2", "batch_size to 1"});
  const BagTask none{.name = "none", .models = {"pooling"}};
  expect_contains(usage_error_of([&] { const BagTrainer trainer(none, "pooling", {}, 1); }),
                  {"0 training bags"});
}

} // namespace
} // namespace mneme::training
