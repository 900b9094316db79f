// SPDX-License-Identifier: MIT

#include <cmath>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "mneme/core/error.h"
#include "mneme/memory/associate.h"
#include "mneme/nn/binary_mlp.h"
#include "mneme/nn/class_token_attention.h"
#include "mneme/nn/gained_attention.h"
#include "mneme/nn/multi_head_attention.h"
#include "mneme/nn/positional_encoding.h"
#include "mneme/nn/scaled_dot_product_attention.h"
#include "mneme/nn/self_attention.h"
#include "mneme/training/binary_models.h"
#include "training/golden_fits.h"
#include "trials/messages.h"

namespace mneme::nn {
namespace {

using trials::expect_usage_error;

constexpr double kRounding = 1e-12; // of float64, for a different order of summation

const auto kDouble = torch::kDouble;

torch::Tensor random(at::IntArrayRef shape, uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  return torch::randn(shape, generator, kDouble);
}

double max_difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

torch::Tensor bits_of(const BitPatterns& patterns) {
  torch::Tensor bits = torch::empty({patterns.count(), patterns.bits()}, torch::kLong);
  for (int64_t row = 0; row < patterns.count(); ++row) {
    for (int64_t bit = 0; bit < patterns.bits(); ++bit) {
      bits[row][bit] = patterns.get(row, bit) ? 1 : 0;
    }
  }
  return bits;
}

/// Copies parameters from JSON by name.
void load(torch::nn::Module& module, const nlohmann::json& named) {
  const torch::NoGradGuard no_grad;
  for (auto& parameter : module.named_parameters()) {
    const auto values = named.at(parameter.key()).get<std::vector<double>>();
    ASSERT_EQ(static_cast<int64_t>(values.size()), parameter.value().numel()) << parameter.key();
    parameter.value().copy_(torch::tensor(values, kDouble).view(parameter.value().sizes()));
  }
}

TEST(GainedAttention, EqualsOneAssociationStepWithTheGainsAsQuery) {
  const torch::Tensor input = random({20}, 1), patterns = random({2, 20}, 2), gains = random({5, 2}, 3);
  const GainedAttention result = gained_attention(input, patterns, gains);
  RealPatterns cues(5, 2), stored(20, 2), values(20, 1);
  for (int64_t i = 0; i < 20; ++i) {
    stored[i][0] = patterns[0][i].item<double>();
    stored[i][1] = patterns[1][i].item<double>();
    values[i][0] = input[i].item<double>();
  }
  for (int64_t i = 0; i < 10; ++i) {
    cues[i / 2][static_cast<size_t>(i % 2)] = gains[i / 2][i % 2].item<double>();
  }
  const Recall<RealPatterns> recall =
      associate(cues, stored, {.similarity = Dot{}, .separation = Softmax{.beta = 1}, .values = values});
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(result.output[i].item<double>(), recall.readout[i][0], kRounding);
    EXPECT_NEAR(result.weights[i].sum().item<double>(), 1, kRounding);
  }
}

TEST(GainedAttention, ZeroGainsAverageAndALargeGainSelectsThePositionOfItsPattern) {
  const torch::Tensor input = random({9}, 4), patterns = torch::eye(2, 9, kDouble);
  EXPECT_NEAR(gained_attention(input, patterns, torch::zeros({2}, kDouble)).output.item<double>(),
              input.mean().item<double>(), kRounding);
  const torch::Tensor second = torch::tensor({0.0, 1e4}, kDouble);
  EXPECT_NEAR(gained_attention(input, patterns, second).output.item<double>(), input[1].item<double>(),
              kRounding);
}

TEST(GainedAttention, RejectsMismatchedShapes) {
  const torch::Tensor input = random({9}, 4), patterns = random({2, 8}, 5);
  expect_usage_error([&] { gained_attention(input, patterns, random({2}, 6)); }, {"[2, 8]", "[K, 9]"});
  expect_usage_error([&] { gained_attention(random({8}, 4), patterns, random({3}, 6)); }, {"[3]", "[2]"});
  expect_usage_error([&] { gained_attention(random({8}, 4).to(torch::kFloat), patterns, random({2}, 6)); },
                     {"Float", "Double"});
  expect_usage_error([&] { gained_attention({}, patterns, random({2}, 6)); }, {"input is undefined", "[T]"});
}

TEST(MultiHeadAttention, EqualsLibTorchAndReturnsScores) {
  const torch::Tensor query = random({2, 3, 5, 4}, 1), key = random({2, 3, 7, 4}, 2),
                      value = random({2, 3, 7, 6}, 3);
  const MultiHeadAttention result = multi_head_attention(query, key, value);
  EXPECT_LT(max_difference(result.readout, torch::scaled_dot_product_attention(query, key, value)),
            kRounding);
  EXPECT_LT(max_difference(result.scores, torch::matmul(query, key.transpose(2, 3)) / 2), kRounding);
  EXPECT_LT(max_difference(result.weights.sum(-1), torch::ones({2, 3, 5}, kDouble)), kRounding);
  const MultiHeadAttention sharp = multi_head_attention(query, key, value, {.beta = 3});
  EXPECT_LT(max_difference(sharp.scores, 6 * result.scores), 10 * kRounding);
}

TEST(MultiHeadAttention, RejectsMismatchedArguments) {
  const auto call = [](at::IntArrayRef query, at::IntArrayRef key, at::IntArrayRef value, double beta = 1) {
    multi_head_attention(random(query, 1), random(key, 2), random(value, 3), {.beta = beta});
  };
  expect_usage_error(
      [&] {
        call({3, 5, 4}, {1, 3, 5, 4}, {1, 3, 5, 4});
      },
      {"[3, 5, 4]", "[batches, heads, positions, features]"});
  expect_usage_error(
      [&] {
        call({1, 3, 5, 4}, {1, 2, 5, 4}, {1, 3, 5, 4});
      },
      {"key has shape [1, 2, 5, 4]", "[1, 3, positions, 4]"});
  expect_usage_error(
      [&] {
        call({1, 3, 5, 4}, {1, 3, 5, 6}, {1, 3, 5, 4});
      },
      {"key has shape [1, 3, 5, 6]", "[1, 3, positions, 4]"});
  expect_usage_error(
      [&] {
        call({1, 3, 5, 4}, {1, 3, 5, 4}, {1, 3, 9, 4});
      },
      {"value has shape [1, 3, 9, 4]", "[1, 3, 5, features]"});
  expect_usage_error(
      [&] {
        call({1, 3, 5, 4}, {1, 3, 0, 4}, {1, 3, 0, 4});
      },
      {"number of keys is 0", "at least 1"});
  expect_usage_error([&] { call({1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, 0); }, {"beta is 0"});
}

TEST(SinusoidalPositions, AreSinesAndCosinesOfDecreasingFrequency) {
  const torch::Tensor positions = sinusoidal_positions(7, 5); // odd: as 6 features without the last cosine
  for (int64_t position = 0; position < 7; ++position) {
    for (int64_t pair = 0; pair < 3; ++pair) {
      const double angle = static_cast<double>(position) * std::pow(10000.0, -static_cast<double>(pair) / 3);
      EXPECT_NEAR(positions[position][2 * pair].item<double>(), std::sin(angle), kRounding);
      if (pair < 2) {
        EXPECT_NEAR(positions[position][2 * pair + 1].item<double>(), std::cos(angle), kRounding);
      }
    }
  }
  expect_usage_error([] { sinusoidal_positions(0, 5); }, {"length is 0"});
}

TEST(ScaledDotProductAttention, MatchesTheFormulaOnInputsPlusPositions) {
  ScaledDotProductAttention attention(ScaledDotProductAttentionOptions(7, 5, 3));
  attention->to(kDouble);
  attention->position->table = sinusoidal_positions(7, 5);
  const torch::Tensor input = random({7, 5}, 1), x = input + sinusoidal_positions(7, 5);
  const torch::Tensor query = x.matmul(attention->query->weight.t()),
                      key = x.matmul(attention->key->weight.t()),
                      value = x.matmul(attention->value->weight.t());
  const torch::Tensor plain = torch::softmax(query.matmul(key.t()) / std::sqrt(3.0), -1).matmul(value);
  EXPECT_LT(max_difference(attention->forward(input), plain), kRounding);
  EXPECT_LT(max_difference(attention->forward(torch::stack({input, 2 * input}))[0], plain), kRounding);
  expect_usage_error([&] { attention->forward(random({6, 5}, 1)); }, {"[6, 5]", "[7, 5]"});
  expect_usage_error(
      [] {
        ScaledDotProductAttention layer(ScaledDotProductAttentionOptions(7, 5, 3));
        layer->forward(at::zeros({7, 5}, at::kDouble));
      },
      {"ScaledDotProductAttention", "the input is Double", "parameters are Float"});
  expect_usage_error([] { ScaledDotProductAttention(ScaledDotProductAttentionOptions(7, 0, 3)); },
                     {"model_size is 0"});
}

TEST(ClassTokenAttention, MatchesTheFormula) {
  ClassTokenAttention attention(ClassTokenAttentionOptions(6, 4).seed(3));
  attention->to(kDouble);
  const torch::Tensor bits = torch::tensor({{0, 1, 1, 0, 1, 0}, {1, 1, 1, 1, 1, 1}}, torch::kLong);
  const torch::Tensor weights = attention->forward(bits);
  ASSERT_EQ(weights.sizes(), (std::vector<int64_t>{2, 7, 7}));
  EXPECT_LT(max_difference(weights.sum(-1), torch::ones({2, 7}, kDouble)), kRounding);

  const torch::Tensor x =
      torch::cat({attention->token_embedding->weight.index_select(0, bits[1]), attention->class_token[0]},
                 0) +
      attention->position_embedding[0];
  const torch::Tensor normal = (x - x.mean(-1, true)) / torch::sqrt(x.var(-1, false, true) + 1e-5);
  const torch::Tensor projected = normal.matmul(attention->query_key_value->weight.t());
  const torch::Tensor scores = projected.narrow(1, 0, 4).matmul(projected.narrow(1, 4, 4).t()) / 2;
  EXPECT_LT(max_difference(weights[1], torch::softmax(scores, -1)), kRounding);
  expect_usage_error([&] { attention->forward(bits.narrow(1, 0, 5)); }, {"[2, 5]", "[B, 6]"});
  expect_usage_error([&] { attention->forward(bits.to(kDouble)); }, {"Double", "Long"});
  expect_usage_error([&] { attention->forward(2 * bits); }, {"0 to 2", "0 and 1"});
}

TEST(SelfAttention, HasThePublishedParameterNames) {
  const SelfAttention model(SelfAttentionOptions(17));
  std::vector<std::string> names;
  int64_t count = 0;
  for (const auto& parameter : model->named_parameters()) {
    names.push_back(parameter.key());
    count += parameter.value().numel();
  }
  EXPECT_EQ(count, 65);
  EXPECT_EQ(names, (std::vector<std::string>{"positioner", "tokenizer.weight", "Wq.weight", "Wk.weight",
                                             "Wv.weight", "linear.weight"}));
}

TEST(SelfAttention, MatchesTheModelWithoutLibTorch) {
  const nlohmann::json fits = testing::golden_fits();
  const nlohmann::json& trained = fits.at("self_attention").at("trained");
  const data::LabelledBits samples = testing::golden_samples(fits);
  SelfAttention model(SelfAttentionOptions(17));
  model->to(kDouble);
  load(*model, trained);
  const SelfAttentionResult ours = model->forward_with_attention(bits_of(samples.inputs));
  const training::BinaryModel plain = training::self_attention_model(17);
  const training::AttentionIntermediates readout =
      training::attend(plain.self_attention, testing::golden_parameters(plain, trained), samples.inputs);
  const auto compare = [](const torch::Tensor& tensor, const std::vector<double>& numbers) {
    EXPECT_LT(max_difference(tensor.flatten(), torch::tensor(numbers, kDouble)), kRounding);
  };
  compare(ours.logits, readout.logits);
  compare(ours.scores, readout.scores);
  compare(ours.attention, readout.attention);
  compare(ours.output, readout.output);
  EXPECT_LT(max_difference(model->forward(bits_of(samples.inputs)), ours.output), kRounding);
}

TEST(SelfAttention, TrainingMatchesTheModelWithoutLibTorch) {
  const nlohmann::json fits = testing::golden_fits();
  const nlohmann::json& golden = fits.at("self_attention");
  const data::LabelledBits samples = testing::golden_samples(fits);
  SelfAttention model(SelfAttentionOptions(17));
  model->to(kDouble);
  load(*model, golden.at("initial"));
  const torch::Tensor bits = bits_of(samples.inputs);
  const torch::Tensor labels =
      torch::tensor(std::vector<double>(samples.labels.begin(), samples.labels.end()), kDouble);
  torch::optim::Adam optimizer(model->parameters(), torch::optim::AdamOptions(1e-2));
  constexpr int64_t kEpochs = 30;
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    optimizer.zero_grad();
    torch::binary_cross_entropy(model->forward(bits).squeeze(1), labels).backward();
    optimizer.step();
  }
  const training::BinaryModel plain = training::self_attention_model(17);
  Progress silent;
  const std::vector<double> fitted =
      training::fit(plain, testing::golden_parameters(plain, golden.at("initial")), samples,
                    {.epochs = kEpochs, .learning_rate = 1e-2}, Random(1), silent)
          .parameters;
  std::vector<torch::Tensor> flat;
  for (const torch::Tensor& parameter : model->parameters()) {
    flat.push_back(parameter.flatten());
  }
  constexpr double kThirtySteps = 1e-8; // Adam divides by the size of a gradient, which amplifies rounding
  EXPECT_LT(max_difference(torch::cat(flat), torch::tensor(fitted, kDouble)), kThirtySteps);
}

TEST(BinaryMLP, HasThePublishedParameterNamesAndIsInitialisedFromTheSeed) {
  const BinaryMLP model(BinaryMLPOptions(17, {512})), same(BinaryMLPOptions(17, {512})),
      other(BinaryMLPOptions(17, {512}).seed(2));
  int64_t count = 0;
  for (const auto& parameter : model->named_parameters()) {
    count += parameter.value().numel();
    EXPECT_TRUE(torch::equal(parameter.value(), same->named_parameters()[parameter.key()]));
  }
  EXPECT_EQ(count, 9729);
  EXPECT_TRUE(model->named_parameters().contains("layers.3.bias"));
  const torch::Tensor weight = model->named_parameters()["layers.0.weight"];
  EXPECT_FALSE(torch::equal(weight, other->named_parameters()["layers.0.weight"]));
  EXPECT_NEAR(weight.std().item<double>(), 0.02, 5 * 0.02 / std::sqrt(2.0 * 17 * 512));
}

TEST(BinaryMLP, MatchesPyTorch) {
  const nlohmann::json fits = testing::golden_fits();
  const nlohmann::json& golden = fits.at("perceptron");
  BinaryMLP model(BinaryMLPOptions(17, {fits.at("hidden_size").get<int64_t>()}));
  model->to(kDouble);
  load(*model, golden.at("trained"));
  model->eval();
  const torch::Tensor output =
      model->forward(bits_of(testing::golden_samples(fits).inputs).to(kDouble)).squeeze(1);
  EXPECT_LT(max_difference(output, torch::tensor(golden.at("output").get<std::vector<double>>(), kDouble)),
            kRounding);
}

TEST(BinaryMLP, RejectsInvalidArguments) {
  expect_usage_error([] { BinaryMLP(BinaryMLPOptions(17, {})); }, {"hidden layers is 0"});
  expect_usage_error(
      [] {
        BinaryMLP(BinaryMLPOptions(17, {4}))->forward(at::zeros({2, 17}, at::kLong));
      },
      {"BinaryMLP", "the input is Long", "parameters are Float"});
  expect_usage_error([] { BinaryMLP(BinaryMLPOptions(17, {8, 0})); }, {"size of a hidden layer is 0"});
  expect_usage_error([] { BinaryMLP(BinaryMLPOptions(17, {8}).dropout(1)); }, {"dropout is 1"});
  BinaryMLP model(BinaryMLPOptions(17, {8, 4}).output_size(3));
  EXPECT_EQ(model->forward(torch::zeros({2, 17})).sizes(), (std::vector<int64_t>{2, 3}));
  expect_usage_error([&] { model->forward(torch::zeros({2, 16})); }, {"[2, 16]", "[B, 17]"});
}

} // namespace
} // namespace mneme::nn
