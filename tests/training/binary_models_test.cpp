// SPDX-License-Identifier: MIT

#include "mneme/training/binary_models.h"

#include <cmath>
#include <limits>
#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

#include "training/golden_fits.h"
#include "trials/messages.h"

namespace mneme::training {
namespace {

using trials::expect_usage_error;

constexpr double kGolden = 1e-5;   // after 100 epochs in float64, for a different order of summation
constexpr double kOneStep = 1e-12; // rounding of one forward pass
Progress silent;

data::LabelledBits some_samples(int64_t context_length, int64_t count) {
  const data::SparseAnd function = data::pick_sparse_and(context_length, 2, true, Random(3));
  return data::draw_samples(function, count, Random(4));
}

/// MLP in float64.
BinaryModel exact_mlp(int64_t context_length, int64_t hidden_size, double dropout = 0,
                      bool products_with_rule = false) {
  BinaryModel model = mlp_model(context_length, hidden_size, dropout, products_with_rule);
  model.mlp.precision = Precision::float64;
  return model;
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], tolerance) << what << ", number " << i;
  }
}

void expect_like_pytorch(const BinaryModel& model, const char* name) {
  const nlohmann::json fits = testing::golden_fits();
  const nlohmann::json& golden = fits.at(name);
  const data::LabelledBits samples = testing::golden_samples(fits);
  const Fit ours =
      fit(model, testing::golden_parameters(model, golden.at("initial")), samples,
          {.epochs = golden.at("epochs"), .learning_rate = golden.at("learning_rate")}, Random(1), silent);
  expect_near(ours.parameters, testing::golden_parameters(model, golden.at("trained")), kGolden, name);
  const nlohmann::json& curve = golden.at("curve");
  ASSERT_EQ(ours.curve.size(), curve.size());
  for (size_t i = 0; i < ours.curve.size(); ++i) {
    EXPECT_EQ(ours.curve[i].epoch, curve[i][0].get<int64_t>());
    EXPECT_NEAR(ours.curve[i].loss, curve[i][1].get<double>(), kGolden);
    EXPECT_EQ(ours.curve[i].accuracy, curve[i][2].get<double>());
  }
}

TEST(BinaryModels, HaveThePublishedNumbersOfParameters) {
  EXPECT_EQ(self_attention_model(17).num_parameters(), 65);
  EXPECT_EQ(mlp_model(17).num_parameters(), 9729);
  EXPECT_EQ(mlp_model(17, 512, 0.1, true).num_parameters(), 9729 + 16 * 512);
}

TEST(BinaryModels, SelfAttentionTrainsAsInPyTorch) {
  expect_like_pytorch(self_attention_model(17), "self_attention");
  expect_like_pytorch(self_attention_model(17), "self_attention_published_start");
}

TEST(BinaryModels, MlpTrainsAsInPyTorch) {
  expect_like_pytorch(exact_mlp(17, testing::golden_fits().at("hidden_size")), "perceptron");
}

TEST(BinaryModels, MlpInFloat32TakesTheSameSteps) {
  // Adam's first steps of 1e-2 do not depend on the size of the gradient, so rounding of small gradients is
  // amplified.
  constexpr double kRounding = 2e-4;
  for (const double dropout : {0.0, 0.2}) {
    const BinaryModel exact = exact_mlp(9, 37, dropout);
    const data::LabelledBits samples = some_samples(9, 50);
    const std::vector<double> start = initial_parameters(exact, Random(6));
    const auto steps = [&](const BinaryModel& model) {
      return fit(model, start, samples, {.epochs = 5}, Random(7), silent);
    };
    const Fit precise = steps(exact), fast = steps(mlp_model(9, 37, dropout));
    expect_near(fast.parameters, precise.parameters, kRounding, "parameters");
    EXPECT_NE(fast.parameters, precise.parameters);
    EXPECT_NEAR(fast.curve.back().loss, precise.curve.back().loss, 1e-5);
  }
}

TEST(BinaryModels, AttendsAsInPyTorch) {
  const nlohmann::json fits = testing::golden_fits();
  const nlohmann::json& golden = fits.at("self_attention");
  const BinaryModel model = self_attention_model(17);
  const AttentionIntermediates ours =
      attend(model.self_attention, testing::golden_parameters(model, golden.at("trained")),
             testing::golden_samples(fits).inputs);
  expect_near(ours.output, golden.at("output"), kOneStep, "output");
  const nlohmann::json& three = golden.at("first_three");
  const auto first = [](const std::vector<double>& all, const nlohmann::json& expected) {
    return std::vector<double>(all.begin(), all.begin() + static_cast<int64_t>(expected.size()));
  };
  expect_near(first(ours.logits, three.at("logits")), three.at("logits"), kOneStep, "logits");
  expect_near(first(ours.scores, three.at("scores")), three.at("scores"), kOneStep, "scores");
  expect_near(first(ours.attention, three.at("attention")), three.at("attention"), kOneStep, "attention");
}

/// The first step of Adam changes every parameter by the learning rate, against the sign of its gradient. To
/// first order, the loss then decreases by the learning rate times the sum of absolute gradients, which a
/// wrong entry would change.
void expect_gradient(const BinaryModel& model) {
  const data::LabelledBits samples = some_samples(model.context_length(), 60);
  Random random(9);
  std::vector<double> start(static_cast<size_t>(model.num_parameters()));
  std::ranges::generate(start, [&] { return 0.5 * random.normal(); });
  constexpr double kStep = 1e-5;
  double expected = 0;
  const std::vector<double> after =
      fit(model, start, samples, {.epochs = 1, .learning_rate = kStep}, Random(1), silent).parameters;
  for (size_t i = 0; i < start.size(); ++i) {
    std::vector<double> shifted = start;
    shifted[i] = start[i] + kStep;
    const double up = evaluate(model, shifted, samples).loss;
    shifted[i] = start[i] - kStep;
    const double slope = (up - evaluate(model, shifted, samples).loss) / (2 * kStep);
    expected -= std::abs(slope) * kStep;
    if (std::abs(slope) > 1e-6) { // the sign of smaller finite differences is not reliable
      EXPECT_EQ(after[i]<start[i], slope> 0) << "parameter " << i << ", slope " << slope;
    }
  }
  const double change = evaluate(model, after, samples).loss - evaluate(model, start, samples).loss;
  EXPECT_NEAR(change / expected, 1, 0.01); // up to second derivatives
}

TEST(BinaryModels, GradientMatchesFiniteDifferences) {
  expect_gradient(self_attention_model(9, 3));
  expect_gradient(self_attention_model(6, 1));
  expect_gradient(exact_mlp(7, 11));
  expect_gradient(exact_mlp(7, 5, 0, true));
}

TEST(BinaryModels, ScoresSumToOneAndOutputMatchesTheLoss) {
  const BinaryModel model = self_attention_model(9);
  const data::LabelledBits samples = some_samples(9, 40);
  Random random(2);
  std::vector<double> parameters(static_cast<size_t>(model.num_parameters()));
  std::ranges::generate(parameters, [&] { return random.normal(); });
  const AttentionIntermediates readout = attend(model.self_attention, parameters, samples.inputs);
  double loss = 0;
  for (size_t sample = 0; sample < 40; ++sample) {
    for (size_t row = 0; row < 9; ++row) {
      const auto scores = readout.scores.begin() + static_cast<int64_t>((sample * 9 + row) * 9);
      EXPECT_NEAR(std::accumulate(scores, scores + 9, 0.0), 1, kOneStep);
    }
    const double p = readout.output[sample];
    loss -= std::log(samples.labels[sample] != 0 ? p : 1 - p) / 40;
  }
  EXPECT_NEAR(evaluate(model, parameters, samples).loss, loss, kOneStep);
}

TEST(BinaryModels, DropoutKeepsTheExpectedOutput) {
  // All units have the same activation, so the output before the first step is the fraction of kept units
  // times the keep scale.
  constexpr double kDropout = 0.25;
  const BinaryModel model = exact_mlp(3, 4000, kDropout);
  std::vector<double> parameters(static_cast<size_t>(model.num_parameters()));
  std::fill(parameters.begin() + 3 * 4000, parameters.begin() + 4 * 4000, 40.0); // gelu(40) = 40
  std::fill(parameters.begin() + 4 * 4000, parameters.end() - 1, 1 / (40.0 * 4000));
  const data::LabelledBits samples{.inputs = BitPatterns(1, 3), .labels = {1}};
  const double loss = fit(model, parameters, samples, {.epochs = 1}, Random(5), silent).curve[0].loss;
  const double output = -std::log(std::expm1(loss)); // loss = log(1 + exp(-output))
  const double standard_deviation = std::sqrt(kDropout / (1 - kDropout) / 4000);
  EXPECT_NEAR(output, 1, 5 * standard_deviation);
  EXPECT_GT(std::abs(output - 1), standard_deviation / 100); // some units were dropped
  EXPECT_NEAR(evaluate(model, parameters, samples).loss, std::log1p(std::exp(-1.0)), kOneStep);
}

TEST(BinaryModels, WeightDecayShrinksParameters) {
  const BinaryModel model = mlp_model(5, 8, 0);
  const data::LabelledBits samples = some_samples(5, 40);
  const std::vector<double> start = initial_parameters(model, Random(1));
  const auto squared_norm = [&](double weight_decay) {
    const Fit fitted =
        fit(model, start, samples, {.epochs = 200, .weight_decay = weight_decay}, Random(1), silent);
    return std::inner_product(fitted.parameters.begin(), fitted.parameters.end(), fitted.parameters.begin(),
                              0.0);
  };
  EXPECT_LT(squared_norm(1), 0.5 * squared_norm(0));
}

TEST(BinaryModels, RejectInvalidArguments) {
  const BinaryModel model = self_attention_model(17);
  const data::LabelledBits samples = some_samples(9, 20);
  const std::vector<double> parameters(65);
  expect_usage_error([&] { evaluate(model, parameters, samples); }, {"9 bits", "expects 17"});
  expect_usage_error([&] { evaluate(self_attention_model(9), parameters, samples); },
                     {"65 parameters", "has 41"});
  expect_usage_error([&] { initial_parameters(self_attention_model(9, 0), Random(1)); },
                     {"embedding size is 0"});
  expect_usage_error([&] { initial_parameters(mlp_model(9, 0), Random(1)); }, {"hidden size is 0"});
  expect_usage_error([&] { initial_parameters(mlp_model(9, 5, 1), Random(1)); }, {"dropout is 1"});
  expect_usage_error([&] { initial_parameters(mlp_model(9, 5, NAN), Random(1)); }, {"dropout is nan"});
  const std::vector<double> matching(41);
  const auto train = [&](const Schedule& schedule) {
    fit(self_attention_model(9), matching, samples, schedule, Random(1), silent);
  };
  expect_usage_error([&] { train({.epochs = 0}); }, {"epochs is 0"});
  expect_usage_error([&] { train({.learning_rate = 0}); }, {"learning rate is 0"});
  expect_usage_error([&] { train({.learning_rate = std::numeric_limits<double>::infinity()}); }, {"is inf"});
  expect_usage_error([&] { train({.weight_decay = -1}); }, {"weight decay is -1"});
  expect_usage_error([&] { evaluate(self_attention_model(9), matching, {.inputs = BitPatterns(0, 9)}); },
                     {"0 samples"});
  expect_usage_error(
      [&] { evaluate(self_attention_model(9), matching, {.inputs = BitPatterns(2, 9), .labels = {1}}); },
      {"1 labels", "2 samples"});
}

TEST(BinaryModels, ReportALearningRateThatIsTooHigh) {
  const data::LabelledBits samples = some_samples(9, 20);
  for (const BinaryModel& model : {self_attention_model(9), mlp_model(9, 8, 0)}) {
    expect_usage_error(
        [&] {
          fit(model, initial_parameters(model, Random(1)), samples, {.epochs = 20, .learning_rate = 1e200},
              Random(1), silent);
        },
        {"learning rate"});
  }
}

} // namespace
} // namespace mneme::training
