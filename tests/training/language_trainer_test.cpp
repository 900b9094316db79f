// SPDX-License-Identifier: MIT

#include "mneme/training/language_trainer.h"

#include <cmath>
#include <limits>

#include <ATen/Functions.h>

#include "core/temporary_folder.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/language/model.h"
#include "mneme/nn/state_dict.h"
#include "mneme/nn/tensor_file.h"
#include "ops/tensors.h"
#include "training/adamw.h"

namespace mneme::training {
namespace {

using mneme::testing::TemporaryFolder;
using ops::expect_contains;
using ops::usage_error_of;

constexpr int64_t kVocabulary = 19;

/// Types of models that this build has.
std::vector<std::string> types() {
  std::vector<std::string> found;
  for (const std::string& type : language_model_types()) {
    try {
      language::make_model({.type = type, .vocab_size = 3, .width = 8, .layers = 1, .max_length = 4});
      found.push_back(type);
    } catch (const UsageError&) { // a type without an implementation
    }
  }
  return found;
}

std::unique_ptr<language::Model> small_model(const std::string& type, double dropout = 0,
                                             int64_t width = 16) {
  language::ModelConfig config{
      .type = type, .vocab_size = kVocabulary, .width = width, .layers = 2, .dropout = dropout, .seed = 3};
  if (type != "lstm") {
    config.heads = 2;
    config.max_length = 12;
  }
  return language::make_model(config);
}

/// Tokens with structure: each one is the sum of the two before it, with errors.
LanguageData data_of(int64_t count = 600) {
  LanguageData data;
  Random random(11);
  for (int64_t i = 0; i < count; ++i) {
    const size_t size = data.training.size();
    const bool is_error = size < 2 || random.below(8) == 0;
    data.training.push_back(static_cast<int32_t>(
        is_error ? random.below(kVocabulary)
                 : static_cast<uint64_t>(data.training[size - 1] + data.training[size - 2]) % kVocabulary));
  }
  data.validation.assign(data.training.end() - 101, data.training.end());
  data.token_bytes.assign(kVocabulary, 1);
  return data;
}

LanguageSchedule schedule_of(int64_t steps = 6) {
  return {.steps = steps,
          .length = 12,
          .rows_per_step = 6,
          .rows_per_batch = 2,
          .learning_rate = 1e-2,
          .warmup_steps = 2,
          .seed = 5};
}

nn::NamedTensors parameters_of(LanguageTrainer& trainer) {
  return nn::state_dict(trainer.model().module());
}

void expect_same(const nn::NamedTensors& a, const nn::NamedTensors& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (const auto& [name, tensor] : a) {
    EXPECT_TRUE(tensor.equal(b.at(name))) << what << ": " << name;
  }
}

/// Restores the number of threads and the interrupt flag.
class Language : public ::testing::Test {
protected:
  void TearDown() override {
    set_threads(threads_);
    clear_interrupt();
  }
  int threads_ = threads();
  LanguageData data_ = data_of();
};
using LanguageTrainerTest = Language;

TEST_F(LanguageTrainerTest, HasTheSameBitsOnAnyNumberOfThreads) {
  for (const std::string& type : types()) {
    for (const double dropout : {0.0, 0.2}) {
      std::vector<nn::NamedTensors> parameters;
      std::vector<double> losses;
      for (const int count : {1, 2, 5}) {
        set_threads(count);
        LanguageSchedule schedule = schedule_of();
        schedule.has_dropout = dropout > 0;
        LanguageTrainer trainer(small_model(type, dropout), data_, schedule);
        double sum = 0;
        while (!trainer.finished()) {
          sum += trainer.step().loss;
        }
        losses.push_back(sum + trainer.validate().loss);
        parameters.push_back(parameters_of(trainer));
        EXPECT_EQ(losses.back(), losses.front()) << type << " " << dropout;
        expect_same(parameters.back(), parameters.front(), type);
      }
    }
  }
}

TEST_F(LanguageTrainerTest, DoesNotDependOnTheDivisionIntoMicroBatches) {
  for (const std::string& type : types()) {
    std::vector<LanguageStep> steps;
    std::vector<double> scores;
    for (const int64_t rows : {6, 4, 1}) { // 4: the last micro-batch has 2 rows
      LanguageSchedule schedule = schedule_of();
      schedule.rows_per_batch = rows;
      LanguageTrainer trainer(small_model(type), data_, schedule);
      const LanguageStep first = trainer.step();
      EXPECT_NEAR(first.loss, steps.empty() ? first.loss : steps.front().loss, 1e-6 * first.loss);
      steps.push_back(first);
      EXPECT_NEAR(first.gradient_norm, steps.front().gradient_norm, 1e-6 * first.gradient_norm) << type;
      while (!trainer.finished()) {
        trainer.step();
      }
      scores.push_back(trainer.validate().loss);
      EXPECT_NEAR(scores.back(), scores.front(), 1e-4) << type; // after six updates
    }
  }
}

TEST_F(LanguageTrainerTest, ReportsTheMeanLossOfItsRows) {
  LanguageTrainer trainer(small_model("leap"), data_, schedule_of());
  const std::unique_ptr<language::Model> model = small_model("leap");
  double sum = 0;
  for (const int64_t position :
       row_positions(trainer.schedule(), 0, static_cast<int64_t>(data_.training.size()))) {
    std::vector<int64_t> row(data_.training.begin() + position, data_.training.begin() + position + 13);
    const at::Tensor tokens = at::tensor(row).unsqueeze(0);
    sum += model->loss(tokens.slice(1, 0, 12), tokens.slice(1, 1)).sum.item<double>();
  }
  const double rehearsed = trainer.rehearse();
  const LanguageStep step = trainer.step();
  EXPECT_NEAR(step.loss, sum / 72, 1e-6);
  EXPECT_EQ(rehearsed, step.loss);
  const std::vector<int64_t> positions =
      row_positions(trainer.schedule(), 1, static_cast<int64_t>(data_.training.size()));
  double first = 0; // of the first two rows of the next step
  for (const int64_t position : {positions.at(0), positions.at(1)}) {
    std::vector<int64_t> row(data_.training.begin() + position, data_.training.begin() + position + 13);
    const at::Tensor tokens = at::tensor(row).unsqueeze(0);
    first += trainer.model().loss(tokens.slice(1, 0, 12), tokens.slice(1, 1)).sum.item<double>();
  }
  EXPECT_NEAR(trainer.rehearse(2), first / 24, 1e-6);
  EXPECT_THROW(trainer.rehearse(0), UsageError);
  EXPECT_THROW(trainer.rehearse(7), UsageError);
  EXPECT_NEAR(step.bits_per_byte, step.loss / std::log(2), 1e-12); // one byte per token
}

TEST_F(LanguageTrainerTest, LowersTheValidationLossBelowThatOfAUniformGuess) {
  for (const std::string& type : types()) {
    LanguageTrainer trainer(small_model(type), data_, schedule_of(60));
    while (!trainer.finished()) {
      trainer.step();
    }
    EXPECT_LT(trainer.validate().loss, 0.98 * std::log(kVocabulary)) << type;
  }
}

TEST_F(LanguageTrainerTest, ContinuesFromACheckpointWithTheSameBits) {
  const TemporaryFolder folder;
  for (const std::string& type : types()) {
    LanguageTrainer whole(small_model(type), data_, schedule_of()),
        first(small_model(type), data_, schedule_of());
    for (int i = 0; i < 3; ++i) {
      first.step();
    }
    save_checkpoint(folder / "a", first.checkpoint());
    LanguageTrainer second(small_model(type), data_, schedule_of());
    second.restore(load_checkpoint(folder / "a"));
    EXPECT_EQ(second.steps_done(), 3);
    std::vector<double> losses;
    while (!whole.finished()) {
      losses.push_back(whole.step().loss);
    }
    while (!second.finished()) {
      const LanguageStep step = second.step();
      EXPECT_EQ(step.loss, losses[static_cast<size_t>(step.step)]) << type;
    }
    expect_same(parameters_of(second), parameters_of(whole), type);
  }
}

TEST_F(LanguageTrainerTest, TrainsWithProductsInBfloat16) {
  for (const std::string& type : types()) {
    const auto losses = [&](ProductPrecision precision, int count) {
      set_threads(count);
      LanguageSchedule schedule = schedule_of(40);
      schedule.precision = precision;
      LanguageTrainer trainer(small_model(type), data_, schedule);
      std::vector<double> all;
      while (!trainer.finished()) {
        all.push_back(trainer.step().loss);
      }
      all.push_back(trainer.validate().loss);
      return all;
    };
    const std::vector<double> exact = losses(ProductPrecision::float32, 2),
                              rounded = losses(ProductPrecision::bfloat16, 2);
    EXPECT_EQ(rounded, losses(ProductPrecision::bfloat16, 1)) << type;
    EXPECT_NE(rounded.front(), exact.front()) << type;
    EXPECT_NEAR(rounded.front(), exact.front(), 1e-2) << type;
    EXPECT_NEAR(rounded.back(), exact.back(), 0.05) << type;
  }
}

TEST_F(LanguageTrainerTest, ValidatesInFloat32WhateverThePrecisionOfSteps) {
  LanguageSchedule schedule = schedule_of();
  LanguageTrainer exact(small_model("leap"), data_, schedule);
  schedule.precision = ProductPrecision::bfloat16;
  LanguageTrainer rounded(small_model("leap"), data_, schedule);
  EXPECT_EQ(rounded.validate().loss, exact.validate().loss);
}

TEST_F(LanguageTrainerTest, RefusesTheCheckpointOfAnotherPrecision) {
  LanguageSchedule schedule = schedule_of();
  LanguageTrainer exact(small_model("leap"), data_, schedule);
  schedule.precision = ProductPrecision::bfloat16;
  LanguageTrainer rounded(small_model("leap"), data_, schedule);
  exact.step();
  rounded.step();
  expect_contains(usage_error_of([&] { exact.restore(rounded.checkpoint()); }),
                  {"precision bfloat16", "float32"});
  Checkpoint old = exact.checkpoint();
  old.texts.erase("precision"); // as written before there was a choice
  expect_contains(usage_error_of([&] { rounded.restore(old); }), {"precision float32", "bfloat16"});
  exact.restore(old);
  EXPECT_EQ(exact.steps_done(), 1);
}

TEST_F(LanguageTrainerTest, RefusesTheCheckpointOfAnotherRunByName) {
  LanguageTrainer trainer(small_model("leap"), data_, schedule_of());
  trainer.step();
  const Checkpoint checkpoint = trainer.checkpoint();
  const auto message = [&](const LanguageSchedule& schedule, const LanguageData& data,
                           const std::string& type) {
    LanguageTrainer other(small_model(type), data, schedule);
    const std::string text = usage_error_of([&] { other.restore(checkpoint); });
    EXPECT_EQ(other.steps_done(), 0);
    return text;
  };
  LanguageSchedule schedule = schedule_of();
  schedule.learning_rate = 2e-2;
  expect_contains(message(schedule, data_, "leap"), {"learning_rate 0.01", "0.02"});
  schedule = schedule_of(7);
  expect_contains(message(schedule, data_, "leap"), {"steps 6", "7"});
  schedule = schedule_of();
  schedule.rows_per_batch = 3;
  expect_contains(message(schedule, data_, "leap"), {"rows_per_batch 2", "3"});
  LanguageData other = data_;
  other.training.back() = (other.training.back() + 1) % kVocabulary;
  expect_contains(message(schedule_of(), other, "leap"), {"training text"});
  other = data_;
  other.validation.back() = (other.validation.back() + 1) % kVocabulary;
  expect_contains(message(schedule_of(), other, "leap"), {"validation text"});
  expect_contains(message(schedule_of(), data_, "lstm"), {"model leap", "lstm"});
}

TEST_F(LanguageTrainerTest, RefusesADamagedCheckpoint) {
  LanguageTrainer trainer(small_model("leap"), data_, schedule_of());
  trainer.step();
  const auto refused = [&](const std::function<void(Checkpoint&)>& damage) {
    Checkpoint checkpoint = trainer.checkpoint();
    damage(checkpoint);
    LanguageTrainer other(small_model("leap"), data_, schedule_of());
    const nn::NamedTensors before = parameters_of(other);
    EXPECT_THROW(other.restore(checkpoint), DataError);
    expect_same(parameters_of(other), before, "unchanged");
  };
  refused([](Checkpoint& c) { c.texts["done"] = "many"; });
  refused([](Checkpoint& c) { c.texts.erase("adam steps"); });
  refused([](Checkpoint& c) { c.texts["format"] = "mneme bags 1"; });
  refused([](Checkpoint& c) { c.tensors.erase("adam.mean.last_norm.bias"); });
  refused([](Checkpoint& c) { c.tensors["adam.square.last_norm.bias"] = at::zeros({3}); });
}

TEST_F(LanguageTrainerTest, SkipsStepsThatAreNotFiniteAndStopsAfterTen) {
  LanguageTrainer trainer(small_model("leap"), data_, schedule_of(100));
  trainer.step();
  at::Tensor weight = trainer.model().module().named_parameters()["word_embedding.weight"];
  const double number = weight[0][0].item<double>();
  const auto set = [&](double x) {
    const at::NoGradGuard no_gradient;
    weight[0][0] = x;
  };
  set(std::numeric_limits<double>::infinity());
  const nn::NamedTensors before = parameters_of(trainer);
  for (int i = 0; i < 9; ++i) {
    EXPECT_TRUE(trainer.step().skipped);
  }
  expect_same(parameters_of(trainer), before, "skipped steps");
  EXPECT_EQ(trainer.steps_skipped(), 9);
  EXPECT_EQ(trainer.steps_done(), 10);
  expect_contains(usage_error_of([&] { trainer.step(); }),
                  {"10 successive steps", "step 10", "learning rate"});
  EXPECT_EQ(trainer.steps_done(), 10);
  set(number);
  EXPECT_FALSE(trainer.step().skipped); // and the count starts again
  set(std::numeric_limits<double>::infinity());
  for (int i = 0; i < 9; ++i) {
    EXPECT_TRUE(trainer.step().skipped);
  }
}

TEST_F(LanguageTrainerTest, IsUnchangedByAnInterrupt) {
  LanguageTrainer trainer(small_model("leap"), data_, schedule_of());
  const nn::NamedTensors before = parameters_of(trainer);
  request_interrupt();
  EXPECT_THROW(trainer.step(), Interrupted);
  EXPECT_THROW(trainer.validate(), Interrupted);
  clear_interrupt();
  expect_same(parameters_of(trainer), before, "interrupted");
  EXPECT_EQ(trainer.steps_done(), 0);
}

TEST_F(LanguageTrainerTest, ValidatesEveryTokenOnce) {
  for (const std::string& type : types()) {
    LanguageTrainer trainer(small_model(type), data_, schedule_of());
    const LanguageScore score = trainer.validate();
    EXPECT_EQ(score.tokens, 100); // 8 windows of 12, and one of 4
    const std::unique_ptr<language::Model> model = small_model(type);
    model->module().eval();
    double sum = 0;
    for (int64_t first = 0; first < 100; first += 12) {
      const int64_t length = std::min<int64_t>(12, 100 - first);
      const std::vector<int64_t> window(data_.validation.begin() + first,
                                        data_.validation.begin() + first + length + 1);
      const at::Tensor tokens = at::tensor(window).unsqueeze(0);
      sum += model->loss(tokens.slice(1, 0, length), tokens.slice(1, 1)).sum.item<double>();
    }
    EXPECT_NEAR(score.loss, sum / 100, 1e-5) << type;
    EXPECT_NEAR(score.bits_per_byte, score.loss / std::log(2), 1e-12) << type;
  }
}

TEST_F(LanguageTrainerTest, CountsTheBytesOfPredictedTokensOnly) {
  data_.token_bytes.assign(kVocabulary, 3);
  data_.token_bytes[0] = 0; // a special token
  LanguageTrainer trainer(small_model("leap"), data_, schedule_of());
  int64_t bytes = 0;
  for (size_t i = 1; i < data_.validation.size(); ++i) {
    bytes += data_.validation[i] == 0 ? 0 : 3;
  }
  const LanguageScore score = trainer.validate();
  EXPECT_NEAR(score.bits_per_byte, score.loss * 100 / std::log(2) / static_cast<double>(bytes), 1e-9);
}

TEST_F(LanguageTrainerTest, LearnsOneBatchByHeart) {
  for (const std::string& type : types()) {
    LanguageSchedule schedule = schedule_of(300);
    schedule.rows_per_step = 2;
    schedule.rows_per_batch = 1;
    schedule.learning_rate = 5e-3;
    schedule.one_batch = true;
    schedule.weight_decay = 0;
    LanguageTrainer trainer(small_model(type, 0, 48), data_, schedule);
    double loss = 0;
    while (!trainer.finished()) {
      loss = trainer.step().loss;
    }
    EXPECT_LT(loss, 0.01) << type;
  }
}

TEST_F(LanguageTrainerTest, DrawsSamplesThatDependOnSeedAndStepAlone) {
  for (const std::string& type : types()) {
    LanguageTrainer trainer(small_model(type), data_, schedule_of());
    set_threads(1);
    const std::vector<int32_t> tokens = trainer.sample({1, 2}, 10, 0.8);
    ASSERT_EQ(tokens.size(), 10U);
    set_threads(3);
    EXPECT_EQ(trainer.sample({1, 2}, 10, 0.8), tokens) << type;
    trainer.step();
    EXPECT_NE(trainer.sample({1, 2}, 10, 0.8), tokens) << type;
    const std::vector<int32_t> likely = trainer.sample({1, 2}, 10, 1e-6),
                               again = trainer.sample({1, 2}, 10, 1e-6);
    EXPECT_EQ(likely, again);
    for (const int32_t token : tokens) {
      EXPECT_TRUE(token >= 0 && token < kVocabulary);
    }
  }
}

TEST_F(LanguageTrainerTest, ChecksItsArguments) {
  const auto error = [&](const std::function<void(LanguageSchedule&)>& change) {
    LanguageSchedule schedule = schedule_of();
    change(schedule);
    return usage_error_of([&] { LanguageTrainer(small_model("leap"), data_, schedule); });
  };
  expect_contains(error([](LanguageSchedule& s) { s.steps = 0; }), {"steps is 0"});
  expect_contains(error([](LanguageSchedule& s) { s.learning_rate = -1; }), {"learning_rate is -1"});
  expect_contains(error([](LanguageSchedule& s) { s.beta2 = 1; }), {"beta2 is 1"});
  expect_contains(error([](LanguageSchedule& s) { s.final_fraction = 2; }), {"final_fraction is 2"});
  expect_contains(error([](LanguageSchedule& s) { s.length = 13; }), {"length is 13", "12 positions"});
  LanguageData other = data_;
  other.token_bytes.push_back(1);
  expect_contains(usage_error_of([&] { LanguageTrainer(small_model("leap"), other, schedule_of()); }),
                  {"20 tokens", "19"});
  other = data_;
  other.training[7] = kVocabulary;
  expect_contains(usage_error_of([&] { LanguageTrainer(small_model("leap"), other, schedule_of()); }),
                  {"0 to 19"});
  other = data_;
  other.validation.resize(1);
  LanguageTrainer trainer(small_model("leap"), other, schedule_of());
  expect_contains(usage_error_of([&] { trainer.validate(); }), {"1 tokens, but 2"});
}

TEST(LanguagePreset, HasEqualNumbersOfParametersForAllTypes) {
  for (const char* preset : {"tiny", "small"}) {
    std::vector<double> counts;
    for (const std::string& type : types()) { // LEAP first
      const LanguageModelSize size = language_preset(preset, type);
      language::ModelConfig config{
          .type = type, .vocab_size = 256, .width = size.width, .layers = size.layers};
      if (type != "lstm") {
        config.heads = size.heads;
        config.max_length = size.length;
      }
      double count = 0;
      for (const at::Tensor& parameter : language::make_model(config)->module().parameters()) {
        count += static_cast<double>(parameter.numel());
      }
      counts.push_back(count);
      EXPECT_NEAR(count / counts.front(), 1, 0.04) << preset << " " << type;
    }
  }
}

TEST(AdamW, FollowsItsFormula) {
  const at::Tensor matrix = ops::random_tensor({300, 400}, 1, at::kFloat), // more than one chunk
      vector = ops::random_tensor({5}, 2, at::kFloat);
  AdamW adam({matrix, vector});
  at::Tensor expected = matrix.to(at::kDouble), mean = at::zeros_like(expected),
             square = at::zeros_like(expected);
  at::Tensor expected_vector = vector.to(at::kDouble), vector_mean = at::zeros_like(expected_vector),
             vector_square = at::zeros_like(expected_vector);
  const auto update = [](at::Tensor& x, at::Tensor& m, at::Tensor& v, const at::Tensor& g, double decay,
                         int t) {
    m = 0.9 * m + 0.1 * g;
    v = 0.95 * v + 0.05 * g * g;
    x = x * (1 - 0.01 * decay) -
        0.01 * (m / (1 - std::pow(0.9, t))) / ((v / (1 - std::pow(0.95, t))).sqrt() + 1e-8);
  };
  for (int t = 1; t <= 4; ++t) {
    const at::Tensor gradient = ops::random_tensor({300, 400}, static_cast<uint64_t>(10 + t), at::kFloat),
                     vector_gradient = ops::random_tensor({5}, static_cast<uint64_t>(20 + t), at::kFloat);
    EXPECT_NEAR(adam.norm({gradient, vector_gradient}),
                std::hypot(gradient.to(at::kDouble).norm().item<double>(),
                           vector_gradient.to(at::kDouble).norm().item<double>()),
                1e-9);
    update(expected, mean, square, 0.5 * gradient.to(at::kDouble), 0.3, t);
    update(expected_vector, vector_mean, vector_square, 0.5 * vector_gradient.to(at::kDouble), 0, t);
    adam.step(
        {gradient, vector_gradient},
        {.learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.95, .weight_decay = 0.3, .gradient_scale = 0.5});
  }
  EXPECT_LT((matrix.to(at::kDouble) - expected).abs().max().item<double>(), 1e-5);
  EXPECT_LT((vector.to(at::kDouble) - expected_vector).abs().max().item<double>(), 1e-5);
}

// Losses and gradient norms of ten steps, computed by PyTorch (tests/golden/language/make_training_steps.py).
TEST_F(LanguageTrainerTest, AgreesWithPyTorchForTenSteps) {
  const nn::TensorFile golden = nn::read_tensor_file(std::filesystem::path(MNEME_SOURCE_DIR) /
                                                     "tests/golden/language/training_steps.safetensors");
  LanguageData data;
  const at::Tensor text = golden.tensors.at("text");
  data.training.assign(text.const_data_ptr<int64_t>(), text.const_data_ptr<int64_t>() + text.numel());
  data.token_bytes.assign(32, 1);
  const LanguageSchedule schedule{.steps = 10,
                                  .length = 12,
                                  .rows_per_step = 3,
                                  .rows_per_batch = 2,
                                  .learning_rate = 1e-2,
                                  .final_fraction = 0.1,
                                  .warmup_steps = 2,
                                  .weight_decay = 0.1,
                                  .gradient_norm_max = 0.5,
                                  .seed = 7};
  for (const std::string type : {"gpt2", "leap", "lstm"}) {
    SCOPED_TRACE(type);
    const std::vector<std::string> available = types();
    if (std::ranges::find(available, type) == available.end()) {
      continue;
    }
    language::ModelConfig config{.type = type, .vocab_size = 32, .width = 16, .layers = 2};
    if (type != "lstm") {
      config.heads = 2;
      config.max_length = 12;
    }
    std::unique_ptr<language::Model> model = language::make_model(config);
    nn::NamedTensors state;
    for (const auto& [name, tensor] : golden.tensors) {
      if (const std::string prefix = type + ".state."; name.starts_with(prefix)) {
        state.emplace(name.substr(prefix.size()), tensor);
      }
    }
    nn::load_state_dict(model->module(), state, "golden file");
    LanguageTrainer trainer(std::move(model), data, schedule);
    const at::Tensor losses = golden.tensors.at(type + ".losses"), norms = golden.tensors.at(type + ".norms");
    for (int64_t i = 0; i < 10; ++i) {
      const LanguageStep step = trainer.step();
      EXPECT_NEAR(step.loss, losses[i].item<double>(), 1e-5) << i;
      EXPECT_NEAR(step.gradient_norm, norms[i].item<double>(), 1e-4) << i;
    }
  }
}

} // namespace
} // namespace mneme::training
