// SPDX-License-Identifier: MIT

#include "mneme/language/head_reader.h"

#include <cmath>
#include <functional>

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "mneme/nn/gpt2.h"

namespace mneme::language {
namespace {

constexpr int64_t kLayers = 2, kHeads = 2, kSize = 16, kHeadSize = kSize / kHeads, kTokens = 12;

nn::Gpt2ForCausalLM small_model() {
  nn::Gpt2ForCausalLM model(nn::Gpt2Config()
                                .vocab_size(20)
                                .hidden_size(kSize)
                                .num_heads(kHeads)
                                .num_layers(kLayers)
                                .max_positions(kTokens)
                                .scale_by_layer(true)
                                .initial_std(0.7));
  model->eval();
  return model;
}

at::Tensor some_ids(int64_t tokens = kTokens) {
  return (at::arange(tokens, at::kLong) * 7).remainder(20).unsqueeze(0);
}

/// Query, key and value [heads, tokens, head size] of a layer, computed from its input.
std::vector<at::Tensor> projections(nn::Gpt2Block& block, const at::Tensor& x) {
  std::vector<at::Tensor> parts = block->attn->c_attn->forward(block->ln_1->forward(x))[0].chunk(3, -1);
  for (at::Tensor& part : parts) {
    part = part.view({-1, kHeads, kHeadSize}).transpose(0, 1);
  }
  return parts;
}

TEST(HeadReader, EqualsThePlainDefinition) {
  const at::NoGradGuard no_gradient;
  nn::Gpt2ForCausalLM model = small_model();
  const at::Tensor ids = some_ids();
  HeadReader reader;
  model->head_input(ids, std::ref(reader));
  ASSERT_EQ(reader.heads().size(), static_cast<size_t>(kLayers * kHeads));

  at::Tensor x = model->transformer->wte->forward(ids) + model->transformer->wpe->weight;
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    nn::Gpt2Block block(std::dynamic_pointer_cast<nn::Gpt2BlockImpl>(model->transformer->h->ptr(layer)));
    const std::vector<at::Tensor> parts = projections(block, x);
    for (int64_t h = 0; h < kHeads; ++h) {
      const theory::HeadReading& head = reader.heads()[static_cast<size_t>(layer * kHeads + h)];
      EXPECT_EQ(head.layer, layer);
      EXPECT_EQ(head.head, h);
      const at::Tensor scores = at::mv(parts[1][h], parts[0][h][kTokens - 1]) /
                                (std::sqrt(static_cast<double>(kHeadSize)) * static_cast<double>(layer + 1));
      EXPECT_NEAR(head.last.beta, scores.max().item<double>(), 1e-5);
      EXPECT_NEAR(head.last.min_score, scores.min().item<double>(), 1e-5);
      EXPECT_EQ(head.last.keys, kTokens);
      const at::Tensor weights = scores.softmax(-1);
      EXPECT_NEAR(head.last.entropy, -(weights * weights.log()).sum().item<double>(), 1e-5);
      EXPECT_TRUE(at::tensor(head.weights).allclose(weights, 1e-5, 1e-6));
      EXPECT_TRUE(at::tensor(head.scores).allclose(scores, 1e-5, 1e-5));
      EXPECT_TRUE(at::tensor(head.value_norms).allclose(parts[2][h].norm(2, -1), 1e-5, 1e-5));
      EXPECT_NEAR(head.key_norm, parts[1][h].norm(2, -1).mean().item<double>(), 1e-5);
      // Queries 6 .. 11 of 12 read 7 .. 12 keys.
      EXPECT_DOUBLE_EQ(head.keys, 9.5);
      EXPECT_NEAR(head.query_norm, parts[0][h].slice(0, 6).norm(2, -1).mean().item<double>(), 1e-5);
    }
    x = block->forward(x);
  }
}

TEST(HeadReader, ReadsASingleToken) {
  nn::Gpt2ForCausalLM model = small_model();
  HeadReader reader;
  model->head_input(some_ids(1), std::ref(reader));
  for (const theory::HeadReading& head : reader.heads()) {
    EXPECT_EQ(head.last.keys, 1);
    EXPECT_EQ(head.weights, std::vector<float>{1});
    EXPECT_TRUE(std::isnan(head.regressed_beta));
    EXPECT_EQ(head.kind, theory::FixedPoint::single);
  }
}

TEST(HeadReader, TheObserverDoesNotChangeTheModel) {
  nn::Gpt2ForCausalLM model = small_model();
  HeadReader reader(3);
  EXPECT_TRUE(model->head_input(some_ids()).equal(model->head_input(some_ids(), std::ref(reader))));
  EXPECT_DOUBLE_EQ(reader.heads()[0].keys, (8 + 10 + 12) / 3.0);
}

TEST(HeadReader, RejectsBatchesAndNoQueries) {
  nn::Gpt2ForCausalLM model = small_model();
  HeadReader reader;
  EXPECT_THROW(model->head_input(some_ids().repeat({2, 1}), std::ref(reader)), UsageError);
  EXPECT_THROW(HeadReader(0), UsageError);
}

TEST(AttentionView, ScoresAreMinusInfinityWhereAKeyIsIgnored) {
  const at::Tensor query = at::ones({1, 1, 2, 3}), key = at::ones({1, 1, 4, 3});
  const at::Tensor mask = at::tensor({1, 0, 0, 0}).to(at::kBool).unsqueeze(0);
  const nn::AttentionView view{
      .query = query, .key = key, .value = key, .scale = 0.5, .key_padding_mask = mask};
  const float never = -INFINITY; // the queries are the last two of four tokens
  EXPECT_TRUE(view.scores(0, 2)[0][0].equal(
      at::tensor({never, 1.5F, 1.5F, never, never, 1.5F, 1.5F, 1.5F}).view({2, 4})));
  EXPECT_TRUE(view.scores(1, 2)[0][0].equal(at::tensor({never, 1.5F, 1.5F, 1.5F}).view({1, 4})));
  EXPECT_THROW(view.scores(1, 3), UsageError);
}

} // namespace
} // namespace mneme::language
