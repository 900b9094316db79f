// SPDX-License-Identifier: MIT

#include "mneme/ops/matrix_leap.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <torch/torch.h>

#include "mneme/ops/leap.h"
#include "ops/leap_inputs.h"
#include "ops/leap_plain.h"

namespace mneme::ops {
namespace {

at::Tensor matrix_leap(const Inputs& x, const MatrixLeapOptions& options) {
  return ops::matrix_leap(x.query, x.focus, x.key, x.value, options);
}

/// The formula as a reference: a dense matrix over all pairs of tokens.
at::Tensor plain(const Inputs& x, const MatrixLeapOptions& options) {
  const auto phi = [&](const at::Tensor& t) {
    return options.features == KeyFeatures::relu ? t.relu() : at::where(t > 0, t + 1, t.clamp_max(0).exp());
  };
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(x.query.size(3))));
  const at::Tensor logit = (scale * (x.focus * x.key).sum(-1)).transpose(1, 2).unsqueeze(2); // [B, H, 1, T]
  at::Tensor weight = options.weight == FocusWeight::elu
                          ? at::where(logit > 0, logit + 1, logit.clamp_max(0).exp())
                          : logit.exp();
  weight = weight * plain_window(options.windows, x.query.size(2), x.query.size(1), options.both_sides);
  if (options.key_padding_mask.defined()) {
    weight = weight * options.key_padding_mask.logical_not().unsqueeze(1).unsqueeze(2);
  }
  weight = weight * at::matmul(phi(x.query).transpose(1, 2), phi(x.key).permute({0, 2, 3, 1}));
  return (at::matmul(weight, x.value.transpose(1, 2)) / (weight.sum(-1, true) + options.epsilon))
      .transpose(1, 2);
}

std::vector<MatrixLeapOptions> all_options(int64_t batches, int64_t tokens) {
  at::Tensor key_padding_mask = at::zeros({batches, tokens}, at::kBool);
  key_padding_mask[0].slice(0, 0, (tokens + 1) / 2).fill_(true);
  std::vector<MatrixLeapOptions> all;
  for (const FocusWeight weight : {FocusWeight::elu, FocusWeight::exponential}) {
    for (const KeyFeatures features : {KeyFeatures::elu, KeyFeatures::relu}) {
      for (const int64_t window : {0, 1, 2, 31, 32, 33, 34, 64, 65, 66, 100}) {
        all.push_back({.weight = weight, .features = features, .windows = {{window, 3}}});
        all.push_back({.weight = weight,
                       .features = features,
                       .windows = {{window, 40}},
                       .epsilon = 0.5,
                       .both_sides = true,
                       .key_padding_mask = key_padding_mask});
        all.push_back(
            {.weight = weight, .features = features, .windows = {{window, 3}, {0.1, 0}}, .scale = 0.8});
      }
    }
  }
  return all;
}

TEST(MatrixLeap, MatchesFormula) {
  for (const int64_t tokens : {1, 5, 33, 150}) {
    const Inputs x = inputs(2, tokens, 2, 3, 1);
    for (const MatrixLeapOptions& options : all_options(2, tokens)) {
      EXPECT_LT(max_abs_difference(matrix_leap(x, options), plain(x, options)), 1e-12)
          << tokens << " tokens, window " << options.windows.tokens[0] << ", both sides "
          << options.both_sides;
    }
  }
}

TEST(MatrixLeap, MatchesFormulaOverSeveralLevelsOfTiles) {
  const Inputs x = inputs(1, 2300, 1, 3, 2); // 32 * 32 tokens and more
  for (const int64_t window : {0, 1060, 2299}) {
    for (const FocusWeight weight : {FocusWeight::elu, FocusWeight::exponential}) {
      const MatrixLeapOptions options{.weight = weight, .windows = {{window}}};
      EXPECT_LT(max_abs_difference(matrix_leap(x, options), plain(x, options)), 1e-12) << "window " << window;
    }
  }
}

TEST(MatrixLeap, GradientsMatchFiniteDifferences) {
  const Inputs x = inputs(1, 4, 2, 2, 3);
  const at::Tensor cotangent = random_tensor({1, 4, 2, 2}, 60);
  for (const MatrixLeapOptions& options : all_options(1, 4)) {
    if (options.windows.tokens[0] > 2) {
      continue; // the sequence is shorter
    }
    expect_gradients_of(
        [&](const std::vector<at::Tensor>& t) {
          return (ops::matrix_leap(t[0], t[1], t[2], t[3], options) * cotangent).sum();
        },
        {x.query, x.focus, x.key, x.value}, 1e-7);
  }
}

TEST(MatrixLeap, GradientsMatchFormulaOnLongSequences) {
  const Inputs x = inputs(2, 150, 2, 3, 4);
  for (const MatrixLeapOptions& options : all_options(2, 150)) {
    const auto got = gradients(x, options, matrix_leap), expected = gradients(x, options, plain);
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_LT(max_abs_difference(got[i], expected[i]), 1e-10 * (1 + expected[i].abs().max().item<double>()))
          << "input " << i << ", window " << options.windows.tokens[0] << ", both sides "
          << options.both_sides;
    }
  }
}

TEST(MatrixLeap, ExponentialWeightsDoNotOverflow) {
  Inputs x = inputs(1, 60, 1, 4, 5);
  const MatrixLeapOptions options{
      .weight = FocusWeight::exponential, .windows = {{20}}, .scale = 1.0, .epsilon = 0};
  const Inputs shifted{x.query, x.focus.clone(), x.key, x.value};
  const at::Tensor expected = matrix_leap(x, options);
  // Adding 2000 to the logits of all tokens does not change normalised weights.
  shifted.focus.add_(2000 * x.key / x.key.square().sum(-1, true));
  EXPECT_LT(max_abs_difference(matrix_leap(shifted, options), expected), 1e-9);
}

TEST(MatrixLeap, OneHeadRecallsManyPairsWhereLeapReturnsTheirMean) {
  // 16 pairs of orthogonal keys and random values, then a query for every key: 1 head.
  const int64_t pairs = 16;
  const at::Tensor keys = at::eye(pairs, at::kDouble), values = random_tensor({pairs, 5}, 6),
                   none = at::zeros_like(keys), no_value = at::zeros_like(values);
  const auto sequence = [](const at::Tensor& stored, const at::Tensor& queries) {
    return at::cat({stored, queries}).view({1, 2 * stored.size(0), 1, stored.size(1)});
  };
  const at::Tensor query = sequence(none, keys), focus = sequence(none, none), key = sequence(keys, none),
                   value = sequence(values, no_value);
  const at::Tensor expected = values.view({1, pairs, 1, 5});
  const auto at_queries = [&](const at::Tensor& readout) { return readout.slice(1, pairs); };
  const at::Tensor readout =
      ops::matrix_leap(query, focus, key, value, {.features = KeyFeatures::relu, .epsilon = 1e-9});
  EXPECT_LT(max_abs_difference(at_queries(readout), expected), 1e-8);
  EXPECT_GT(max_abs_difference(at_queries(ops::leap(query, focus, key, value)), expected), 0.5);
}

RC_GTEST_PROP(MatrixLeap, DoesNotDependOnSplitOfSequence, ()) {
  const auto tokens = *rc::gen::inRange<int64_t>(1, 120);
  const auto heads = *rc::gen::inRange<int64_t>(1, 4);
  const auto features = *rc::gen::inRange<int64_t>(1, 6);
  MatrixLeapOptions options;
  options.weight = *rc::gen::element(FocusWeight::elu, FocusWeight::exponential);
  options.windows.tokens.clear();
  for (int64_t h = 0; h < heads; ++h) {
    options.windows.tokens.push_back(*rc::gen::inRange<int64_t>(0, 60));
  }
  options.windows.decay = {*rc::gen::element(0.0, 0.01)};
  const Inputs x = inputs(2, tokens, heads, features, *rc::gen::inRange<uint64_t>(0, 1000), at::kFloat, 1.5);
  const at::Tensor whole = matrix_leap(x, options);
  MatrixLeapState state;
  std::vector<at::Tensor> readouts;
  for (int64_t first = 0; first < tokens;) {
    const int64_t last = std::min(tokens, first + *rc::gen::inRange<int64_t>(1, 70));
    const int64_t middle = *rc::gen::inRange<int64_t>(first, last + 1); // includes empty segments
    for (const auto& [from, to] : {std::pair{first, middle}, {middle, last}}) {
      const Inputs segment = segment_of(x, from, to);
      MatrixLeapContinuation next = matrix_leap_continue(segment.query, segment.focus, segment.key,
                                                         segment.value, std::move(state), options);
      readouts.push_back(next.readout);
      state = std::move(next.state);
    }
    first = last;
  }
  RC_ASSERT(state.position == tokens);
  // As for leap, relative to the largest readout.
  RC_ASSERT(max_abs_difference(at::cat(readouts, 1), whole) <= 2e-6 * whole.abs().max().item<double>());
}

TEST(MatrixLeap, StateDoesNotGrowWithSequence) {
  const Inputs x = inputs(1, 500, 2, 4, 8, at::kFloat);
  const MatrixLeapOptions options{.windows = {{0, 16}}};
  const auto after = [&](int64_t first, int64_t last, MatrixLeapState state) {
    const Inputs segment = segment_of(x, first, last);
    return matrix_leap_continue(segment.query, segment.focus, segment.key, segment.value, std::move(state),
                                options)
        .state;
  };
  const MatrixLeapState early = after(0, 100, {}), late = after(100, 500, early);
  EXPECT_EQ(late.position, 500);
  EXPECT_EQ(late.sums.sizes(), at::IntArrayRef({1, 2, 4, 5}));
  EXPECT_EQ(late.key.sizes(), at::IntArrayRef({1, 15, 2, 4}));
  EXPECT_EQ(early.sums.sizes(), late.sums.sizes());
  EXPECT_EQ(early.key.sizes(), late.key.sizes());
}

TEST(MatrixLeap, ComputesHalfTypesInFloat) {
  const Inputs x = inputs(1, 40, 2, 4, 9, at::kBFloat16);
  const at::Tensor readout = matrix_leap(x, {});
  EXPECT_EQ(readout.scalar_type(), at::kBFloat16);
  EXPECT_LT(max_abs_difference(readout, plain(to(x, at::kDouble), {})), 0.02); // 2^-8 of values up to 3
}

TEST(MatrixLeap, AcceptsEmptySequences) {
  const Inputs x = inputs(2, 0, 2, 3, 10);
  EXPECT_EQ(matrix_leap(x, {}).sizes(), x.value.sizes());
  EXPECT_EQ(gradients(x, MatrixLeapOptions{}, matrix_leap)[1].sizes(), x.focus.sizes());
  EXPECT_EQ(matrix_leap_continue(x.query, x.focus, x.key, x.value, {}).state.position, 0);
}

TEST(MatrixLeap, RejectsInvalidArguments) {
  const Inputs x = inputs(1, 6, 2, 3, 11);
  const auto error = [&](const Inputs& y, const MatrixLeapOptions& options = {}) {
    return usage_error_of([&] { matrix_leap(y, options); });
  };
  expect_contains(error({x.query.slice(3, 0, 2), x.focus, x.key, x.value}), {"matrix_leap", "2 features"});
  expect_contains(error({x.query, x.focus.slice(1, 1), x.key, x.value}), {"focus has 5", "query has 6"});
  expect_contains(error(x, {.windows = {{-1}}}), {"-1 tokens"});
  expect_contains(error(x, {.scale = NAN}), {"scale is nan"});
  expect_contains(error(x, {.epsilon = 0}), {"epsilon is 0"});
  expect_contains(error(x, {.windows = {{2}, {0.1}}, .both_sides = true}), {"decay", "both_sides"});
  Inputs wrong = x;
  wrong.value = x.value.clone();
  wrong.value[0][4][1][2] = NAN;
  expect_contains(error(wrong), {"value is nan at batch 0, token 4, head 1, feature 2"});
  EXPECT_TRUE(matrix_leap(wrong, {.check_finite = false}).isnan().any().item<bool>());

  const MatrixLeapOptions options{.windows = {{0, 4}}};
  const auto error_of_state = [&](const MatrixLeapState& state, const MatrixLeapOptions& with) {
    return usage_error_of([&] { matrix_leap_continue(x.query, x.focus, x.key, x.value, state, with); });
  };
  MatrixLeapState state = matrix_leap_continue(x.query, x.focus, x.key, x.value, {}, options).state;
  expect_contains(error_of_state(state, {.windows = {{0, 5}}}), {"state's logit", "[1, 3, 2]", "[1, 4, 2]"});
  expect_contains(error_of_state({}, {.both_sides = true}), {"both_sides"});
  expect_contains(error_of_state({}, {.key_padding_mask = at::zeros({1, 6}, at::kBool)}),
                  {"key_padding_mask"});
  state.position = 0;
  expect_contains(error_of_state(state, options), {"position 0"});
  state.position = 6;
  state.sums = at::Tensor();
  expect_contains(error_of_state(state, options), {"no sums"});
}

} // namespace
} // namespace mneme::ops
