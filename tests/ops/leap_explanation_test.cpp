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
  LeapParts parts;
  LeapOptions options;
  at::Tensor value; ///< [B, T, H, V]
};

/// Windows and decays per head, padding on both ends, in float64.
Case make_case(FocusWeight weight, LeapGate gate, int64_t tokens = 90, double spread = 1) {
  const auto random = [&](uint64_t seed, int64_t features) {
    return spread * random_tensor({2, tokens, 3, features}, 70 + seed);
  };
  at::Tensor is_token = at::ones({2, tokens}, at::kBool);
  is_token[0].slice(0, 0, tokens / 2).fill_(false);
  is_token[1].slice(0, tokens - 5).fill_(false);
  Case made{.parts = {},
            .options = {.weight = weight,
                        .windows = {{0, 1, 40}, {0.02, 0, 0.1}},
                        .gate = gate,
                        .is_token = is_token},
            .value = random(3, 4)};
  made.parts = leap_with_parts(random(0, 5), random(1, 5), random(2, 5), made.value, made.options);
  return made;
}

void for_each_case(const std::function<void(const Case&)>& body) {
  for (const FocusWeight weight : {FocusWeight::elu, FocusWeight::exponential}) {
    for (const LeapGate gate : kGates) {
      body(make_case(weight, gate));
    }
  }
}

TEST(LeapExplanation, AttentionTimesValuesIsTheReadoutAndItsLengthsAreContributions) {
  for_each_case([](const Case& c) {
    const LeapExplanation all = explain(c.parts, c.options);
    const at::Tensor value = c.value.transpose(1, 2); // [B, H, T, V]
    EXPECT_LT(largest_difference(at::matmul(all.attention, value).transpose(1, 2), c.parts.readout), 1e-13);
    EXPECT_TRUE(all.attention.equal(effective_attention(c.parts, c.options)));
    EXPECT_LT(largest_difference(all.attention, all.share * c.parts.gate.transpose(1, 2).unsqueeze(3)),
              1e-15);
    const at::Tensor added = all.attention.unsqueeze(4) * value.unsqueeze(2);
    EXPECT_LT(largest_difference(all.contribution, added.norm(2, -1)), 1e-14);
  });
}

TEST(LeapExplanation, SharesAreThoseOfTheFormulas) {
  for_each_case([](const Case& c) {
    const at::Tensor expected = plain_shares(
        c.parts.focus_logit,
        {.weight = c.options.weight, .windows = c.options.windows, .is_token = c.options.is_token});
    EXPECT_LT(largest_difference(explain(c.parts, c.options).share, expected), 1e-14);
  });
}

TEST(LeapExplanation, ReasonsSumToTheLogitOfTheGate) {
  for_each_case([](const Case& c) {
    const LeapExplanation all = explain(c.parts, c.options);
    const at::Tensor logit = gate_logit(c.parts, c.options);
    if (c.options.gate == LeapGate::open) {
      EXPECT_FALSE(all.reason.defined());
      EXPECT_FALSE(logit.defined());
      return;
    }
    EXPECT_LT(largest_difference(all.reason.sum(-1).transpose(1, 2), logit), 1e-13);
    const at::Tensor gate = c.options.gate == LeapGate::dot_product ? logit : logit.sigmoid();
    EXPECT_LT(largest_difference(gate, c.parts.gate), 1e-14);
  });
}

TEST(LeapExplanation, ATileIsAPartOfTheWhole) {
  for_each_case([](const Case& c) {
    const LeapExplanation all = explain(c.parts, c.options),
                          tile = explain(c.parts, c.options, {40, 60, 10, 55});
    const auto part = [](const at::Tensor& t) { return t.slice(2, 40, 60).slice(3, 10, 55); };
    EXPECT_TRUE(tile.share.equal(part(all.share)));
    EXPECT_TRUE(tile.attention.equal(part(all.attention)));
    EXPECT_TRUE(tile.contribution.equal(part(all.contribution)));
    if (tile.reason.defined()) {
      EXPECT_LT(largest_difference(tile.reason, part(all.reason)), 1e-13); // products sum in another order
    }
  });
}

TEST(LeapExplanation, LooksToBothSidesOfAnEncoder) {
  const at::Tensor x = random_tensor({1, 30, 2, 4}, 80), value = random_tensor({1, 30, 2, 4}, 81);
  const LeapOptions options{.windows = {{0, 6}}, .both_sides = true};
  const LeapParts parts = leap_with_parts(x, x, x + value, value, options);
  const LeapExplanation all = explain(parts, options);
  EXPECT_LT(
      largest_difference(at::matmul(all.attention, value.transpose(1, 2)).transpose(1, 2), parts.readout),
      1e-14);
  EXPECT_LT(largest_difference(all.reason.sum(-1).transpose(1, 2), gate_logit(parts, options)), 1e-13);
}

TEST(LeapExplanation, RollOutIsTheProductOfAllLayers) {
  // Long enough for sums over whole chunks, and for more readers than are done at once.
  for (const double spread : {1.0, 6.0}) {
    std::vector<LeapLayer> layers;
    at::Tensor product = at::eye(200, at::kDouble).expand({2, 200, 200});
    for (const auto& [weight, gate] : {std::pair(FocusWeight::exponential, LeapGate::sigmoid),
                                       {FocusWeight::elu, LeapGate::cosine},
                                       {FocusWeight::exponential, LeapGate::open}}) {
      Case c = make_case(weight, gate, 200, spread);
      product =
          at::matmul(at::eye(200, at::kDouble) + effective_attention(c.parts, c.options).mean(1), product);
      for (at::Tensor* dropped : {&c.parts.readout, &c.parts.query, &c.parts.key, &c.parts.value}) {
        *dropped = at::Tensor(); // none of them is needed
      }
      c.options.is_token = at::Tensor();
      layers.push_back({std::move(c.parts), c.options});
    }
    const at::Tensor all = roll_out(layers);
    EXPECT_LT(largest_difference(all, product), 1e-13);
    EXPECT_LT(largest_difference(roll_out(layers, 150, 153), all.slice(1, 150, 153)), 1e-13);
    EXPECT_LT(largest_difference(roll_out(std::span(layers).first(1)),
                                 at::eye(200, at::kDouble) +
                                     effective_attention(layers[0].parts, layers[0].options).mean(1)),
              1e-14);
  }
}

TEST(LeapExplanation, OfNoTokensIsEmpty) {
  const at::Tensor none = at::empty({1, 0, 2, 3});
  const LeapParts parts = leap_with_parts(none, none, none, none);
  EXPECT_EQ(explain(parts, {}).reason.sizes(), (at::IntArrayRef{1, 2, 0, 0}));
  const LeapLayer layer{parts, {}};
  EXPECT_EQ(roll_out({&layer, 1}).sizes(), (at::IntArrayRef{1, 0, 0}));
}

TEST(LeapExplanation, NamesBothSidesOfWhatDoesNotFit) {
  const Case c = make_case(FocusWeight::elu, LeapGate::sigmoid);
  expect_contains(usage_error_of([&] {
                    explain(c.parts, c.options, {0, 91});
                  }),
                  {"explain", "readers", "0 to 91", "there are 90"});
  expect_contains(usage_error_of([&] { explain(c.parts, c.options, {0, 5, 9, 3}); }), {"tokens", "9 to 3"});
  expect_contains(usage_error_of([] { roll_out({}); }), {"roll_out", "no layers"});
  const Case longer = make_case(FocusWeight::elu, LeapGate::sigmoid, 91);
  const std::vector<LeapLayer> layers = {{c.parts, c.options}, {longer.parts, longer.options}};
  expect_contains(usage_error_of([&] { roll_out(layers); }), {"[2, 91, 3]", "[2, 90, 3]"});
  expect_contains(usage_error_of([&] { roll_out(std::span(layers).first(1), -3); }), {"-3 to 90"});
  LeapLayer encoder = layers[0];
  encoder.options.both_sides = true;
  expect_contains(usage_error_of([&] { roll_out({&encoder, 1}); }), {"both sides"});
}

} // namespace
} // namespace mneme::ops
