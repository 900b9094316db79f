// SPDX-License-Identifier: MIT

#include "mneme/language/evaluate.h"

#include <cmath>

#include <gtest/gtest.h>

#include "language/small_models.h"
#include "mneme/core/error.h"

namespace mneme::language {
namespace {

using testing::random_ids;
using testing::random_model;
using testing::small_configs;

const tokens::Tokenizer kBytes = tokens::Tokenizer::bytes();

std::vector<int32_t> ids_of(int64_t count, int64_t vocab_size = 40) {
  const at::Tensor ids = random_ids(1, count, vocab_size)[0];
  std::vector<int32_t> all;
  for (int64_t i = 0; i < count; ++i) {
    all.push_back(ids[i].item<int32_t>());
  }
  return all;
}

/// -log of the probability of the token at `target`, from the tokens [begin, target).
double nats_of(Model& model, const std::vector<int32_t>& ids, int64_t begin, int64_t target) {
  const at::NoGradGuard no_gradient;
  const std::vector<int64_t> context(ids.begin() + begin, ids.begin() + target);
  const at::Tensor logits = model.logits(at::tensor(context, at::kLong).unsqueeze(0))[0][-1];
  return -at::log_softmax(logits.to(at::kDouble), 0)[ids[static_cast<size_t>(target)]].item<double>();
}

/// The sum by the definition: the first window predicts all of its tokens, each later one its last `stride`.
double expected_nats(Model& model, const std::vector<int32_t>& ids, int64_t window, int64_t stride) {
  double sum = 0;
  for (int64_t target = 1; target < static_cast<int64_t>(ids.size()); ++target) {
    const int64_t last_input = target - 1;
    // The first window that contains the last input.
    const int64_t index = last_input < window ? 0 : (last_input - window) / stride + 1;
    sum += nats_of(model, ids, index * stride, target);
  }
  return sum;
}

TEST(Evaluate, EveryTokenIsPredictedOnceFromItsWindow) {
  Progress silent;
  for (const ModelConfig& config : small_configs()) {
    const auto model = random_model(config);
    const std::vector<int32_t> ids = ids_of(43);
    for (const auto& [window, stride] :
         {std::pair<int64_t, int64_t>{10, 10}, {10, 1}, {10, 3}, {10, 9}, {42, 42}, {48, 7}, {1, 1}}) {
      const EvalResult result =
          evaluate(*model, kBytes, ids, {EvalProtocol::windows, window, stride}, silent);
      const double expected = expected_nats(*model, ids, window, stride);
      EXPECT_EQ(result.tokens, 42);
      EXPECT_NEAR(result.nats, expected, 1e-5 * expected) << config.type << " " << window << " " << stride;
    }
  }
}

TEST(Evaluate, FullAndCarryPredictFromTheWholeText) {
  Progress silent;
  for (const ModelConfig& config : small_configs()) {
    const auto model = random_model(config);
    const std::vector<int32_t> ids = ids_of(45);
    const double expected = expected_nats(*model, ids, 44, 44);
    for (const EvalProtocol protocol : {EvalProtocol::full, EvalProtocol::carry}) {
      const EvalResult result = evaluate(*model, kBytes, ids, {.protocol = protocol}, silent);
      EXPECT_EQ(result.tokens, 44);
      EXPECT_EQ(result.windows, 1);
      EXPECT_NEAR(result.nats, expected, 1e-5 * expected) << config.type;
    }
  }
}

TEST(Evaluate, OneStateServesTextsOfAnyLength) {
  Progress silent;
  ModelConfig config = small_configs().front();
  config.positions = "none";
  const auto model = random_model(config);
  const std::vector<int32_t> ids = ids_of(1300); // several steps of the state
  const EvalResult full = evaluate(*model, kBytes, ids, {.protocol = EvalProtocol::full}, silent),
                   carry = evaluate(*model, kBytes, ids, {.protocol = EvalProtocol::carry}, silent);
  EXPECT_NEAR(full.nats, carry.nats, 1e-5 * full.nats);
}

TEST(Evaluate, BitsPerByteOfAUniformModelDependOnTheVocabularyAlone) {
  Progress silent;
  const auto model = make_model({.type = "lstm", .vocab_size = 256, .width = 8, .heads = 1, .layers = 1});
  {
    const at::NoGradGuard no_gradient;
    for (at::Tensor& parameter : model->module().parameters()) {
      parameter.zero_();
    }
  }
  const EvalResult result = evaluate(*model, kBytes, ids_of(101, 256), {.window = 20, .stride = 20}, silent);
  EXPECT_EQ(result.text_bytes, 100);
  EXPECT_NEAR(result.bits_per_byte(), 8, 1e-6);
  EXPECT_NEAR(result.perplexity(), 256, 1e-3);
}

TEST(Evaluate, NamesTheProtocol) {
  EXPECT_EQ(name_of({.protocol = EvalProtocol::carry}), "carry");
  EXPECT_EQ(name_of({.protocol = EvalProtocol::full}), "full");
  EXPECT_EQ(name_of({.window = 32, .stride = 8}), "window 32, stride 8");
}

TEST(Evaluate, NamesBothSidesOfErrors) {
  Progress silent;
  const auto model = random_model(small_configs()[2]);
  const auto message = [&](int64_t tokens, const EvalOptions& options) {
    try {
      evaluate(*model, kBytes, ids_of(tokens), options, silent);
      return std::string("no error");
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
  };
  const auto expect = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  expect(message(1, {.window = 4, .stride = 4}), "1 token");
  expect(message(60, {.window = 8, .stride = 9}), "stride is 9");
  expect(message(60, {.window = 0, .stride = 1}), "window is 0");
  expect(message(60, {.window = 50, .stride = 50}), "48 learned positions");
  expect(message(60, {.window = 50, .stride = 50}), "--window 48");
  expect(message(60, {.protocol = EvalProtocol::full}), "59 tokens");
  expect(message(60, {.protocol = EvalProtocol::carry}), "48 learned positions");
}

} // namespace
} // namespace mneme::language
