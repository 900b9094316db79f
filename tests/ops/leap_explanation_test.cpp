// SPDX-License-Identifier: MIT

#include "mneme/ops/leap_explanation.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "ops/leap_plain.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

constexpr LeapGate kGates[] = {LeapGate::sigmoid, LeapGate::cosine, LeapGate::dot_product, LeapGate::open};

struct Case {
  LeapIntermediates leap;
  LeapOptions options;
  at::Tensor value; ///< [B, T, H, V]
};

/// Windows and decays per head, padding on both ends, in float64.
Case make_case(FocusWeight weight, LeapGate gate, int64_t tokens = 90, double spread = 1) {
  const auto random = [&](uint64_t seed, int64_t features) {
    return spread * random_tensor({2, tokens, 3, features}, 70 + seed);
  };
  at::Tensor key_padding_mask = at::zeros({2, tokens}, at::kBool);
  key_padding_mask[0].slice(0, 0, tokens / 2).fill_(true);
  key_padding_mask[1].slice(0, tokens - 5).fill_(true);
  Case made{.leap = {},
            .options = {.weight = weight,
                        .windows = {{0, 1, 40}, {0.02, 0, 0.1}},
                        .gate = gate,
                        .key_padding_mask = key_padding_mask},
            .value = random(3, 4)};
  made.leap = leap_with_intermediates(random(0, 5), random(1, 5), random(2, 5), made.value, made.options);
  return made;
}

void for_each_case(const std::function<void(const Case&)>& body) {
  for (const FocusWeight weight : {FocusWeight::elu, FocusWeight::exponential}) {
    for (const LeapGate gate : kGates) {
      body(make_case(weight, gate));
    }
  }
}

TEST(LeapExplanation, AttentionTimesValuesIsReadoutAndNormsAreContributions) {
  for_each_case([](const Case& c) {
    const LeapExplanation all = explain(c.leap, c.options);
    const at::Tensor value = c.value.transpose(1, 2); // [B, H, T, V]
    EXPECT_LT(max_abs_difference(at::matmul(all.attention, value).transpose(1, 2), c.leap.readout), 1e-13);
    EXPECT_TRUE(all.attention.equal(effective_attention(c.leap, c.options)));
    EXPECT_LT(max_abs_difference(all.attention, all.mean_weight * c.leap.gate.transpose(1, 2).unsqueeze(3)),
              1e-15);
    const at::Tensor added = all.attention.unsqueeze(4) * value.unsqueeze(2);
    EXPECT_LT(max_abs_difference(all.contribution, added.norm(2, -1)), 1e-14);
  });
}

TEST(LeapExplanation, MeanWeightsMatchFormula) {
  for_each_case([](const Case& c) {
    const at::Tensor expected =
        plain_mean_weights(c.leap.focus_logit, {.weight = c.options.weight,
                                                .windows = c.options.windows,
                                                .key_padding_mask = c.options.key_padding_mask});
    EXPECT_LT(max_abs_difference(explain(c.leap, c.options).mean_weight, expected), 1e-14);
  });
}

TEST(LeapExplanation, GateLogitContributionsSumToGateLogit) {
  for_each_case([](const Case& c) {
    const LeapExplanation all = explain(c.leap, c.options);
    const at::Tensor logit = gate_logit(c.leap, c.options);
    if (c.options.gate == LeapGate::open) {
      EXPECT_FALSE(all.gate_logit_contribution.defined());
      EXPECT_FALSE(logit.defined());
      return;
    }
    EXPECT_LT(max_abs_difference(all.gate_logit_contribution.sum(-1).transpose(1, 2), logit), 1e-13);
    const at::Tensor gate = c.options.gate == LeapGate::dot_product ? logit : logit.sigmoid();
    EXPECT_LT(max_abs_difference(gate, c.leap.gate), 1e-14);
  });
}

TEST(LeapExplanation, TileIsBlockOfFullMatrix) {
  for_each_case([](const Case& c) {
    const LeapExplanation all = explain(c.leap, c.options),
                          tile = explain(c.leap, c.options, {40, 60, 10, 55});
    const auto block = [](const at::Tensor& t) { return t.slice(2, 40, 60).slice(3, 10, 55); };
    EXPECT_TRUE(tile.mean_weight.equal(block(all.mean_weight)));
    EXPECT_TRUE(tile.attention.equal(block(all.attention)));
    EXPECT_TRUE(tile.contribution.equal(block(all.contribution)));
    if (tile.gate_logit_contribution.defined()) {
      EXPECT_LT(max_abs_difference(tile.gate_logit_contribution, block(all.gate_logit_contribution)),
                1e-13); // products are summed in another order
    }
  });
}

TEST(LeapExplanation, SupportsBothSides) {
  const at::Tensor x = random_tensor({1, 30, 2, 4}, 80), value = random_tensor({1, 30, 2, 4}, 81);
  const LeapOptions options{.windows = {{0, 6}}, .both_sides = true};
  const LeapIntermediates leap = leap_with_intermediates(x, x, x + value, value, options);
  const LeapExplanation all = explain(leap, options);
  EXPECT_LT(
      max_abs_difference(at::matmul(all.attention, value.transpose(1, 2)).transpose(1, 2), leap.readout),
      1e-14);
  EXPECT_LT(
      max_abs_difference(all.gate_logit_contribution.sum(-1).transpose(1, 2), gate_logit(leap, options)),
      1e-13);
}

TEST(LeapExplanation, RolloutIsProductOfAllLayers) {
  // Long enough for sums over entire tiles, and for several blocks of query positions.
  for (const double spread : {1.0, 6.0}) {
    std::vector<LeapLayer> layers;
    at::Tensor product = at::eye(200, at::kDouble).expand({2, 200, 200});
    for (const auto& [weight, gate] : {std::pair(FocusWeight::exponential, LeapGate::sigmoid),
                                       {FocusWeight::elu, LeapGate::cosine},
                                       {FocusWeight::exponential, LeapGate::open}}) {
      Case c = make_case(weight, gate, 200, spread);
      product =
          at::matmul(at::eye(200, at::kDouble) + effective_attention(c.leap, c.options).mean(1), product);
      for (at::Tensor* unused : {&c.leap.readout, &c.leap.query, &c.leap.key, &c.leap.value}) {
        *unused = at::Tensor(); // attention_rollout does not use them
      }
      c.options.key_padding_mask = at::Tensor();
      layers.push_back({std::move(c.leap), c.options});
    }
    const at::Tensor all = attention_rollout(layers);
    EXPECT_LT(max_abs_difference(all, product), 1e-13);
    EXPECT_LT(max_abs_difference(attention_rollout(layers, 150, 153), all.slice(1, 150, 153)), 1e-13);
    EXPECT_LT(max_abs_difference(attention_rollout(std::span(layers).first(1)),
                                 at::eye(200, at::kDouble) +
                                     effective_attention(layers[0].intermediates, layers[0].options).mean(1)),
              1e-14);
  }
}

TEST(LeapExplanation, EmptySequence) {
  const at::Tensor none = at::empty({1, 0, 2, 3});
  const LeapIntermediates leap = leap_with_intermediates(none, none, none, none);
  EXPECT_EQ(explain(leap, {}).gate_logit_contribution.sizes(), (at::IntArrayRef{1, 2, 0, 0}));
  const LeapLayer layer{leap, {}};
  EXPECT_EQ(attention_rollout({&layer, 1}).sizes(), (at::IntArrayRef{1, 0, 0}));
}

TEST(LeapExplanation, RejectsInvalidArguments) {
  const Case c = make_case(FocusWeight::elu, LeapGate::sigmoid);
  expect_contains(usage_error_of([&] {
                    explain(c.leap, c.options, {0, 91});
                  }),
                  {"explain", "queries", "0 to 91", "there are 90"});
  expect_contains(usage_error_of([&] { explain(c.leap, c.options, {0, 5, 9, 3}); }), {"keys", "9 to 3"});
  expect_contains(usage_error_of([] { attention_rollout({}); }), {"attention_rollout", "no layers"});
  const Case longer = make_case(FocusWeight::elu, LeapGate::sigmoid, 91);
  const std::vector<LeapLayer> layers = {{c.leap, c.options}, {longer.leap, longer.options}};
  expect_contains(usage_error_of([&] { attention_rollout(layers); }), {"[2, 91, 3]", "[2, 90, 3]"});
  expect_contains(usage_error_of([&] { attention_rollout(std::span(layers).first(1), -3); }), {"-3 to 90"});
  LeapLayer encoder = layers[0];
  encoder.options.both_sides = true;
  expect_contains(usage_error_of([&] { attention_rollout({&encoder, 1}); }), {"both sides"});
}

} // namespace
} // namespace mneme::ops
