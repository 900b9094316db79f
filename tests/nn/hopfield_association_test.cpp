// SPDX-License-Identifier: MIT

#include <cmath>
#include <limits>

#include <ATen/CPUGeneratorImpl.h>

#include "nn/layers.h"
#include "ops/allocated_bytes.h"

namespace mneme::nn {
namespace {

constexpr double kRounding = 1e-12; // of float64, for sums of a few hundred numbers of magnitude 1

const at::Tensor kStored = random_tensor({2, 7, 6}, 11), kState = random_tensor({2, 5, 6}, 12),
                 kProjection = random_tensor({2, 7, 6}, 13);

/// The readout of the paper in plain LibTorch: softmax(beta * state . stored^T) . projection
at::Tensor lookup(const at::Tensor& state, const at::Tensor& stored, const at::Tensor& projection,
                  double beta) {
  return at::matmul(at::softmax(beta * at::matmul(state, stored.transpose(1, 2)), -1), projection);
}

TEST(HopfieldAssociation, MatchesTheUpdateRuleOfThePaper) {
  Hopfield memory(HopfieldOptions::memory(0.7).update_steps_max(2).update_steps_eps(1e-300));
  at::Tensor state = kState;
  for (int update = 0; update < 2; ++update) {
    state = lookup(state, kStored, kStored, 0.7);
  }
  const at::Tensor expected = lookup(state, kStored, kProjection, 0.7);
  EXPECT_LT(max_abs_difference(memory->forward(kStored, kState, kProjection), expected), kRounding);
  EXPECT_LT(max_abs_difference(memory->retrieve(kStored, kState, kProjection).output, expected), kRounding);
}

TEST(HopfieldAssociation, UsesTheRequestedSeparation) {
  for (const auto separation : {ops::Separation::entmax15, ops::Separation::sparsemax}) {
    Hopfield memory(
        HopfieldOptions::memory(0.7).separation(separation).update_steps_max(1).update_steps_eps(1e-300));
    const auto association = [&](const at::Tensor& state) {
      return ops::separate(0.7 * at::matmul(state, kStored.transpose(1, 2)), separation);
    };
    const at::Tensor last = association(at::matmul(association(kState), kStored));
    const HopfieldRetrieval retrieval = memory->retrieve(kStored, kState, kProjection);
    EXPECT_LT(max_abs_difference(retrieval.association.squeeze(1), last), kRounding);
    EXPECT_LT(
        max_abs_difference(memory->forward(kStored, kState, kProjection), at::matmul(last, kProjection)),
        kRounding);
    EXPECT_GT((last == 0).sum().item<int64_t>(), 0); // poorly matching patterns have weight 0
  }
}

TEST(HopfieldAssociation, SparseSeparationRespectsMasks) {
  Hopfield memory(HopfieldOptions::memory(2).separation(ops::Separation::sparsemax).update_steps_max(0));
  at::Tensor padding = at::zeros({2, 7}, at::kBool);
  padding[0].fill_(true); // everything masked
  padding[1][3] = true;
  const at::Tensor association = memory->get_association_matrix(kStored, kState, {}, {padding});
  EXPECT_EQ(association[0].abs().max().item<double>(), 0);
  EXPECT_EQ(association[1].select(-1, 3).abs().max().item<double>(), 0);
  EXPECT_LT(max_abs_difference(association[1].sum(-1), at::ones({1, 5}, at::kDouble)), kRounding);
}

TEST(HopfieldAssociation, AttentionPresetEqualsMultiheadAttention) {
  torch::nn::MultiheadAttention peer(torch::nn::MultiheadAttentionOptions(6, 3));
  Hopfield layer(HopfieldOptions::attention(6, 3));
  peer->to(at::kDouble);
  layer->to(at::kDouble);
  const at::NoGradGuard no_gradient;
  for (const auto& parameter : peer->named_parameters()) { // the core uses the same names
    parameter.value().copy_(random_tensor(parameter.value().sizes(), 9));
    layer->association_core->named_parameters()[parameter.key()].copy_(parameter.value());
  }
  const at::Tensor state = kState.transpose(0, 1), stored = kStored.transpose(0, 1);
  const at::Tensor expected = std::get<0>(peer->forward(state, stored, stored)).transpose(0, 1);
  EXPECT_LT(max_abs_difference(layer->forward(kStored, kState, kStored), expected), kRounding);
}

TEST(HopfieldAssociation, AdaptedPresetHasEightHeadsAndThreeUpdates) {
  Hopfield layer(HopfieldOptions::adapted(6));
  EXPECT_EQ(layer->hidden_size(), 8);
  EXPECT_EQ(layer->options.num_heads(), 8);
  EXPECT_EQ(layer->scaling().of(7), 0.25);
  layer->eval();
  EXPECT_EQ(layer->retrieve(kStored.to(at::kFloat)).association.sizes(), at::IntArrayRef({2, 8, 7, 7}));
}

TEST(HopfieldAssociation, RetrievesTheStoredPatternFromANoisyState) {
  Hopfield memory(HopfieldOptions::memory(8));
  const at::Tensor stored = 3 * at::eye(6, at::kDouble).unsqueeze(0);
  const HopfieldRetrieval retrieval = memory->retrieve(stored, stored + 0.3 * random_tensor({1, 6, 6}, 3));
  EXPECT_LT(max_abs_difference(retrieval.output, stored),
            1e-9); // other patterns have weights of 6 exp(-8 * 3 * 3)
  EXPECT_TRUE(retrieval.converged[0]);
  EXPECT_TRUE(memory->parameters().empty());
}

TEST(HopfieldAssociation, StreamingEqualsPlainLibTorchWithGradients) {
  const std::vector<HopfieldOptions> all = {
      HopfieldOptions(6),
      HopfieldOptions(6).num_heads(3).update_steps_max(1),
      HopfieldOptions(6).num_heads(2).update_steps_max(3).beta(1.5).update_steps_eps(1e-300),
      HopfieldOptions(6).num_heads(2).update_steps_max(std::nullopt).update_steps_eps(1e-6),
      HopfieldOptions(6)
          .num_heads(3)
          .update_steps_max(std::vector<int64_t>{0, 2, -1})
          .update_steps_eps(std::vector<double>{1e-3, 1e-2, 1e-4}),
      HopfieldOptions(6).num_heads(2).beta(std::vector<double>{-0.3, 1.2}).update_steps_max(2),
      HopfieldOptions(6)
          .hidden_size(4)
          .num_heads(2)
          .beta(std::vector<double>{0.3, 1.2})
          .update_steps_max(1)
          .compat(true),
      HopfieldOptions(6).num_heads(2).learn_beta(true).update_steps_max(1),
      HopfieldOptions(6).hidden_size(6).num_heads(2).stored_pattern_as_static(true).state_pattern_as_static(
          true),
      HopfieldOptions(6).num_heads(2).add_zero_association(true).concat_bias_pattern(true).batch_first(false),
      HopfieldOptions(6).pattern_size(4).hidden_size(3).num_heads(2).normalize_hopfield_space(true),
  };
  for (size_t which = 0; which < all.size(); ++which) {
    HopfieldOptions options = all[which];
    std::vector<at::Tensor> results[2];
    for (const bool streaming : {false, true}) {
      Hopfield layer = hopfield(options.streaming(streaming));
      const auto input = [&](const at::Tensor& batch_first) {
        return (options.batch_first() ? batch_first : batch_first.transpose(0, 1)).clone().requires_grad_();
      };
      const at::Tensor stored = input(kStored), state = input(kState), projection = input(kProjection);
      const at::Tensor output = layer->forward(stored, state, projection);
      (output * random_tensor(output.sizes(), 5)).sum().backward();
      results[streaming] = {output, stored.grad(), state.grad(), projection.grad()};
      for (const at::Tensor& parameter : layer->parameters()) {
        results[streaming].push_back(parameter.grad());
      }
    }
    for (size_t i = 0; i < results[0].size(); ++i) {
      ASSERT_EQ(results[0][i].defined(), results[1][i].defined()) << which << " " << i;
      if (results[0][i].defined()) {
        EXPECT_LT(max_abs_difference(results[0][i], results[1][i]), 1e-10) << which << " " << i;
      }
    }
  }
}

TEST(HopfieldAssociation, StreamingWithMasksEqualsPlainLibTorchWithGradients) {
  const auto random_mask = [](at::IntArrayRef shape, uint64_t seed) {
    return random_tensor(shape, seed) > 0.5;
  };
  at::Tensor padding = random_mask({2, 7}, 31), of_heads = random_mask({4, 5, 7}, 32);
  padding[1].fill_(true); // everything masked
  of_heads[0][2].fill_(true);
  const at::Tensor added = random_tensor({5, 7}, 33).masked_fill(random_mask({5, 7}, 34), -INFINITY);
  const std::vector<HopfieldMasks> all_masks = {
      {padding, {}},
      {{}, random_mask({5, 7}, 35)},
      {padding.to(at::kByte), random_mask({5, 7}, 35).to(at::kByte)},
      {{}, added},
      {{}, added.expand({4, 5, 7})},
      {padding, added},
      {{}, of_heads},
      {padding, added + of_heads * 1.5}};
  const std::vector<HopfieldOptions> all = {
      HopfieldOptions(6).num_heads(2),
      HopfieldOptions(6).num_heads(2).update_steps_max(3).beta(1.5).update_steps_eps(1e-300),
      HopfieldOptions(6).num_heads(2).update_steps_max(std::vector<int64_t>{1, -1}).update_steps_eps(1e-3),
      HopfieldOptions(6).num_heads(2).add_zero_association(true).concat_bias_pattern(true).batch_first(
          false)};
  for (HopfieldOptions options : all) {
    for (const HopfieldMasks& masks : all_masks) {
      std::vector<at::Tensor> results[2];
      for (const bool streaming : {false, true}) {
        Hopfield layer = hopfield(options.streaming(streaming));
        const auto input = [&](const at::Tensor& batch_first) {
          return (options.batch_first() ? batch_first : batch_first.transpose(0, 1)).clone().requires_grad_();
        };
        const at::Tensor stored = input(kStored), state = input(kState);
        const at::Tensor output = layer->forward(stored, state, {}, masks);
        (output * random_tensor(output.sizes(), 5)).sum().backward();
        results[streaming] = {output, stored.grad(), state.grad(),
                              layer->association_core->in_proj_weight.grad()};
      }
      for (size_t i = 0; i < results[0].size(); ++i) {
        EXPECT_LT(max_abs_difference(results[0][i], results[1][i]), 1e-10) << i;
      }
    }
  }
}

TEST(HopfieldAssociation, StreamingAndPlainLibTorchUseTheSameDropoutMask) {
  const HopfieldOptions options = HopfieldOptions(6).num_heads(2).dropout(0.4).update_steps_max(1);
  const auto trained = [&](bool streaming, bool need_weights) {
    HopfieldOptions own = options;
    Hopfield layer = hopfield(own.streaming(streaming));
    layer->train();
    layer->association_core->generator = at::detail::createCPUGenerator(11);
    return need_weights ? layer->retrieve(kStored, kState).output : layer->forward(kStored, kState);
  };
  const at::Tensor streamed = trained(true, false);
  EXPECT_LT(max_abs_difference(streamed, trained(false, false)), kRounding);
  EXPECT_LT(max_abs_difference(streamed, trained(true, true)), kRounding);
}

TEST(HopfieldAssociation, CausalMaskPaddingAndDropoutAreNotMaterialised) {
  constexpr int64_t kLength = 1024;
  Hopfield layer(HopfieldOptions(8).num_heads(4).update_steps_max(1).dropout(0.1));
  const at::Tensor input = random_tensor({2, kLength, 8}, 41, at::kFloat).requires_grad_();
  at::Tensor padding = at::zeros({2, kLength}, at::kBool);
  padding.slice(1, 1000) = true;
  const at::Tensor causal = at::ones({kLength, kLength}, at::kBool).triu(1);
  const ops::AllocatedBytes allocated;
  layer->forward(input, {}, {}, {padding, causal}).sum().backward();
  // Batch 2, 4 heads: one association would be 32 MiB.
  EXPECT_LT(allocated.peak(), 8 * kLength * kLength * 4 / 2);
}

TEST(HopfieldAssociation, StreamingAndPlainHeadsStopAfterTheSameUpdate) {
  at::Tensor clustered = random_tensor({2, 40, 6}, 21);
  clustered = at::cat({clustered, clustered + 0.05 * random_tensor(clustered.sizes(), 22)}, 1);
  // Close together and far from 0: the lower bound from the states is lost in rounding.
  const at::Tensor far = 10 + 0.001 * random_tensor({2, 40, 6}, 23);
  constexpr double kRoundingOfScores = 1e-11;           // scores are up to 600 beta
  const at::Tensor many = clustered.repeat({1, 25, 1}); // only the heads that go on are updated
  for (const at::Tensor& stored : {clustered, far, at::ones({2, 5, 6}, at::kDouble), many}) {
    at::Tensor padding = at::zeros({2, stored.size(1)}, at::kBool);
    padding[0].slice(0, 3, 5) = true;
    const at::Tensor causal = at::ones({5, stored.size(1)}, at::kBool).triu(2);
    for (const double beta : {-0.2, 0.0, 0.1, 0.5, 3.0}) {
      for (const double eps : {1e-1, 1e-3, 1e-6, 1e-9}) {
        const bool masked = eps < 1e-2;
        HopfieldOptions options = HopfieldOptions::memory({{beta, 0.7 * beta}}).num_heads(2);
        options.update_steps_eps(eps).update_steps_max(30);
        HopfieldCore core(options.core());
        HopfieldCoreCall call{.key_padding_mask = masked ? padding : at::Tensor(),
                              .attn_mask = masked ? causal : at::Tensor(),
                              .scaling = *options.beta(),
                              .update_steps_max = *options.update_steps_max(),
                              .update_steps_eps = eps,
                              .need_weights = true,
                              .batch_first = true};
        const HopfieldCoreResult kept = core->forward(kState, stored, stored, call);
        call.need_weights = false;
        const HopfieldCoreResult streamed = core->forward(kState, stored, stored, call);
        EXPECT_EQ(streamed.updates, kept.updates) << "beta " << beta << ", eps " << eps;
        EXPECT_LT(max_abs_difference(streamed.output, kept.output), 1e-9);
        for (size_t update = 0; update < streamed.changes.size(); ++update) {
          for (size_t head = 0; head < 2; ++head) { // a lower bound, or exact
            EXPECT_LE(streamed.changes[update][head], kept.changes[update][head] + kRoundingOfScores);
          }
        }
      }
    }
  }
}

TEST(HopfieldAssociation, FoldedForwardEqualsPlainLibTorchWithGradients) {
  at::Tensor shorter = at::zeros({2, 5000}, at::kBool), holes = shorter.clone(), all_masked = shorter.clone();
  shorter[0].slice(0, 4500).fill_(true);
  shorter[1].slice(0, 1).fill_(true);
  holes.copy_(random_tensor({2, 5000}, 6) > 0.3);
  all_masked[1].fill_(true);
  for (const auto& [batch_first, padding] : {std::pair(true, at::Tensor()),
                                             {false, at::Tensor()},
                                             {true, shorter},
                                             {false, holes},
                                             {true, all_masked}}) {
    const HopfieldOptions options =
        HopfieldOptions(6).num_heads(2).hidden_size(5).pattern_size(4).batch_first(batch_first);
    Hopfield folded = hopfield(options), plain = hopfield(HopfieldOptions(options).streaming(false));
    const auto gradients_of = [&, batch_first = batch_first, padding = padding](Hopfield& layer) {
      const auto reordered = [&](const at::Tensor& x) { return batch_first ? x : x.transpose(0, 1); };
      const at::Tensor bag = random_tensor({2, 5000, 6}, 3).requires_grad_();
      const at::Tensor state = random_tensor({1, 3, 6}, 4).requires_grad_();
      const at::Tensor output = reordered(layer->forward(reordered(bag), reordered(state), {}, {padding}));
      (output * random_tensor(output.sizes(), 5)).sum().backward();
      std::vector<at::Tensor> all{output, bag.grad(), state.grad()};
      for (const at::Tensor& parameter : layer->parameters()) {
        all.push_back(parameter.grad());
      }
      return all;
    };
    const std::vector<at::Tensor> ours = gradients_of(folded), theirs = gradients_of(plain);
    for (size_t i = 0; i < theirs.size(); ++i) {
      ASSERT_TRUE(ours[i].defined()) << i;
      EXPECT_LT(max_abs_difference(ours[i], theirs[i]), 1e-10) << "output, bag, state, parameters: " << i;
    }
  }
}

TEST(HopfieldAssociation, DoesNotDependOnTheOrderOfStoredPatterns) {
  Hopfield layer = hopfield(HopfieldOptions(6).num_heads(2).update_steps_max(2));
  const at::Tensor order = at::tensor({3, 1, 6, 0, 2, 5, 4}, at::kLong);
  EXPECT_LT(max_abs_difference(
                layer->forward(kStored, kState, kProjection),
                layer->forward(kStored.index_select(1, order), kState, kProjection.index_select(1, order))),
            kRounding);
}

TEST(HopfieldAssociation, WeightsOfEveryStateSumToOne) {
  Hopfield layer = hopfield(HopfieldOptions(6).num_heads(2).add_zero_association(true));
  const at::Tensor association = layer->get_association_matrix(kStored, kState, kProjection);
  EXPECT_EQ(association.sizes(), (at::IntArrayRef{2, 2, 5, 8}));
  EXPECT_LT(max_abs_difference(association.sum(-1), at::ones({2, 2, 5}, at::kDouble)), kRounding);
  EXPECT_FALSE(association.requires_grad());
}

TEST(HopfieldAssociation, RetrieveReturnsOutputAndAssociationOfOneForward) {
  Hopfield layer = hopfield(HopfieldOptions(6).disable_out_projection(true).update_steps_max(1));
  const HopfieldRetrieval retrieval = layer->retrieve(kStored, kState, kProjection);
  EXPECT_LT(max_abs_difference(at::matmul(retrieval.association, retrieval.projected_patterns).squeeze(1),
                               retrieval.output),
            kRounding);
  EXPECT_LT(max_abs_difference(retrieval.output, layer->forward(kStored, kState, kProjection)), kRounding);
  EXPECT_TRUE(retrieval.association.requires_grad());
}

TEST(HopfieldAssociation, HeadsConvergeIndependently) {
  const HopfieldOptions options = HopfieldOptions(6)
                                      .num_heads(3)
                                      .update_steps_max(std::vector<int64_t>{0, 2, -1})
                                      .update_steps_eps(std::vector<double>{1e-3, 1e-300, 1e-5});
  const HopfieldRetrieval retrieval = hopfield(options)->retrieve(kStored, kState, kProjection);
  EXPECT_EQ(retrieval.updates[0], 0);
  EXPECT_EQ(retrieval.updates[1], 2);
  EXPECT_GT(retrieval.updates[2], 2);
  EXPECT_EQ(retrieval.converged, (std::vector<bool>{true, false, true}));
  EXPECT_LE(retrieval.changes.back()[2], 1e-5);
  EXPECT_EQ(retrieval.changes.back()[1], 0);
}

TEST(HopfieldAssociation, PaddingEqualsRemovingPatterns) {
  Hopfield layer = hopfield(HopfieldOptions(6).num_heads(2).update_steps_max(2));
  at::Tensor padding = at::zeros({2, 7}, at::kBool);
  padding.slice(1, 4) = true;
  const at::Tensor expected = layer->forward(kStored.narrow(1, 0, 4), kState, kProjection.narrow(1, 0, 4));
  for (const at::ScalarType type : {at::kBool, at::kByte}) {
    const HopfieldMasks masks{.stored_pattern_padding_mask = padding.to(type)};
    EXPECT_LT(max_abs_difference(layer->forward(kStored, kState, kProjection, masks), expected), kRounding);
  }
  const at::Tensor masked = padding[0].expand({5, 7});
  EXPECT_LT(max_abs_difference(layer->forward(kStored, kState, kProjection, {.association_mask = masked}),
                               expected),
            kRounding);
  const at::Tensor numbers =
      at::zeros({4, 5, 7}).masked_fill(masked, -std::numeric_limits<float>::infinity());
  EXPECT_LT(max_abs_difference(layer->forward(kStored, kState, kProjection, {.association_mask = numbers}),
                               expected),
            kRounding);
}

TEST(HopfieldAssociation, BatchSizeOneIsBroadcast) {
  Hopfield layer = hopfield(HopfieldOptions(6).num_heads(2).update_steps_max(1));
  const at::Tensor stored = kStored.narrow(0, 0, 1), state = kState.narrow(0, 0, 1);
  EXPECT_LT(
      max_abs_difference(layer->forward(stored, kState), layer->forward(stored.repeat({2, 1, 1}), kState)),
      kRounding);
  EXPECT_LT(
      max_abs_difference(layer->forward(kStored, state), layer->forward(kStored, state.repeat({2, 1, 1}))),
      kRounding);
}

TEST(HopfieldAssociation, StaticHeadsDoNotMixTheBatch) {
  HopfieldOptions options = HopfieldOptions(6).hidden_size(6).num_heads(2).stored_pattern_as_static(true);
  const at::Tensor alone = hopfield(options)->forward(kStored.narrow(0, 1, 1), kState.narrow(0, 1, 1));
  const auto second = [&](bool compat) {
    return hopfield(options.compat(compat))->forward(kStored, kState).narrow(0, 1, 1);
  };
  EXPECT_LT(max_abs_difference(second(false), alone), kRounding);
  EXPECT_GT(max_abs_difference(second(true), alone), 1e-3);
}

TEST(HopfieldAssociation, BetaPerHeadEqualsSeparateLayers) {
  // Without projections every head has all features, so two heads equal two layers of one head.
  const HopfieldOptions two =
      HopfieldOptions::memory(std::vector<double>{0.5, 2.0}).num_heads(2).update_steps_max(1);
  const at::Tensor both = Hopfield(two)->forward(kStored, kState);
  for (const int64_t h : {0, 1}) {
    HopfieldOptions one = HopfieldOptions::memory(h == 0 ? 0.5 : 2.0).update_steps_max(1);
    EXPECT_LT(max_abs_difference(both.narrow(2, 6 * h, 6), Hopfield(one)->forward(kStored, kState)),
              kRounding);
  }
}

TEST(HopfieldAssociation, DropoutIsOnlyAppliedInTrainingAndNotToTheReturnedAssociation) {
  Hopfield layer = hopfield(HopfieldOptions(6).dropout(1));
  const at::Tensor without_dropout = layer->forward(kStored, kState),
                   association = layer->get_association_matrix(kStored, kState);
  layer->train();
  const at::Tensor bias = layer->association_core->out_proj->bias;
  EXPECT_LT(max_abs_difference(layer->forward(kStored, kState), bias.expand({2, 5, 6})), kRounding);
  EXPECT_LT(max_abs_difference(layer->get_association_matrix(kStored, kState), association), kRounding);
  EXPECT_GT(max_abs_difference(without_dropout, bias.expand({2, 5, 6})), 1e-3);
}

TEST(HopfieldAssociation, DropoutUsesTheGeneratorOfTheLayer) {
  Hopfield layer = hopfield(HopfieldOptions(6).dropout(0.5));
  layer->train();
  const at::Tensor with_default_generator = layer->forward(kStored, kState);
  at::Generator generator = at::detail::createCPUGenerator(11);
  layer->association_core->generator = generator;
  const at::Tensor first = layer->forward(kStored, kState), second = layer->forward(kStored, kState);
  generator.set_current_seed(11);
  EXPECT_TRUE(layer->forward(kStored, kState).equal(first));
  EXPECT_FALSE(second.equal(first));
  EXPECT_FALSE(with_default_generator.equal(first));
  // Kept weights are scaled up, so the mean over many dropout masks approaches the output without dropout.
  at::Tensor mean = at::zeros_like(first);
  constexpr int kDraws = 60;
  for (int i = 0; i < kDraws; ++i) {
    mean = mean + layer->forward(kStored, kState).detach() / kDraws;
  }
  layer->eval();
  EXPECT_LT(max_abs_difference(mean, layer->forward(kStored, kState)),
            0.5 * max_abs_difference(first, layer->forward(kStored, kState)));
}

} // namespace
} // namespace mneme::nn
