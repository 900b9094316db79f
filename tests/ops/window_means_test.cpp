// SPDX-License-Identifier: MIT

#include "mneme/ops/window_means.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "ops/leap_plain.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

std::vector<WindowMeansOptions> all_options(int64_t batches, int64_t tokens) {
  std::vector<WindowMeansOptions> all;
  at::Tensor key_padding_mask = at::zeros({batches, tokens}, at::kBool);
  key_padding_mask[0].slice(0, 0, (tokens + 1) / 2).fill_(true);
  for (const FocusWeight weight : {FocusWeight::elu, FocusWeight::exponential}) {
    for (const int64_t window : {0, 1, 2, 5, 40, 100}) {
      for (const bool both_sides : {false, true}) {
        all.push_back({.weight = weight, .windows = {{window, 3}}, .both_sides = both_sides});
        all.push_back({.weight = weight,
                       .windows = {{window}},
                       .both_sides = both_sides,
                       .key_padding_mask = key_padding_mask});
      }
      all.push_back({.weight = weight, .windows = {{window, 3}, {0.1, 0}}, .epsilon = 0.5});
    }
  }
  return all;
}

TEST(WindowMeans, MatchFormula) {
  for (const int64_t tokens : {1, 5, 33, 150}) {
    const at::Tensor logit = 2 * random_tensor({2, tokens, 2}, 1), rows = random_tensor({2, tokens, 2, 3}, 2);
    for (const WindowMeansOptions& options : all_options(2, tokens)) {
      const at::Tensor expected = plain_means(plain_mean_weights(logit, options), rows);
      EXPECT_LT(max_abs_difference(window_means(logit, rows, options).means, expected), 1e-13)
          << tokens << " tokens, window " << options.windows.tokens[0] << ", both sides "
          << options.both_sides;
    }
  }
}

TEST(WindowMeans, GradientsMatchFiniteDifferences) {
  const at::Tensor logit = random_tensor({1, 4, 2}, 3), rows = random_tensor({1, 4, 2, 2}, 4),
                   cotangent = random_tensor({1, 4, 2, 2}, 5);
  for (const WindowMeansOptions& options : all_options(1, 4)) {
    expect_gradients_of(
        [&](const std::vector<at::Tensor>& t) {
          return (window_means(t[0], t[1], options).means * cotangent).sum();
        },
        {logit, rows}, 2e-8);
  }
}

TEST(WindowMeans, GradientsMatchFormulaOnLongSequences) {
  for (const WindowMeansOptions& options : all_options(2, 150)) {
    const at::Tensor cotangent = random_tensor({2, 150, 2, 3}, 6);
    std::vector<std::vector<at::Tensor>> gradients;
    for (const bool plain : {false, true}) {
      const at::Tensor logit = (2 * random_tensor({2, 150, 2}, 7)).requires_grad_(),
                       rows = random_tensor({2, 150, 2, 3}, 8).requires_grad_();
      const at::Tensor means = plain ? plain_means(plain_mean_weights(logit, options), rows)
                                     : window_means(logit, rows, options).means;
      gradients.push_back(torch::autograd::grad({means}, {logit, rows}, {cotangent}));
    }
    EXPECT_LT(max_abs_difference(gradients[0][0], gradients[1][0]), 1e-11);
    EXPECT_LT(max_abs_difference(gradients[0][1], gradients[1][1]), 1e-11);
  }
}

TEST(WindowMeans, ReturnWeightsAndTheirSums) {
  const at::Tensor logit = at::tensor({-1.0, 0.0, 2.0}, at::kDouble).view({1, 3, 1}),
                   rows = at::ones({1, 3, 1, 1}, at::kDouble);
  const WindowMeans elu = window_means(logit, rows, {.windows = {{2}}});
  EXPECT_TRUE(elu.weight.flatten().allclose(at::tensor({std::exp(-1.0), 1.0, 3.0}, at::kDouble)));
  EXPECT_TRUE(
      elu.weight_sum.flatten().allclose(at::tensor({std::exp(-1.0), 1 + std::exp(-1.0), 4.0}, at::kDouble)));
  const WindowMeans exponential =
      window_means(logit, rows, {.weight = FocusWeight::exponential, .windows = {{2}}});
  EXPECT_TRUE(exponential.weight.equal(logit.exp()));
  EXPECT_TRUE(exponential.weight_sum.flatten().allclose(
      at::tensor({std::exp(-1.0), 1 + std::exp(-1.0), 1 + std::exp(2.0)}, at::kDouble)));
}

TEST(WindowMeans, RejectInvalidArguments) {
  const at::Tensor logit = at::zeros({2, 5, 2}), rows = at::zeros({2, 5, 2, 3});
  const auto error = [](const at::Tensor& l, const at::Tensor& r, const WindowMeansOptions& options = {}) {
    return usage_error_of([&] { window_means(l, r, options); });
  };
  expect_contains(error(logit.slice(1, 0, 4), rows), {"4 tokens", "5 tokens"});
  expect_contains(error(logit.to(at::kDouble), rows), {"Double", "Float"});
  expect_contains(error(logit.slice(2, 0, 0), rows.slice(2, 0, 0)), {"0 heads", "at least 1"});
  expect_contains(error(logit, rows.slice(3, 0, 0)), {"0 features", "at least 1"});
  expect_contains(error(logit, rows, {.windows = {{-3}}}), {"-3 tokens"});
  expect_contains(error(logit, rows, {.windows = {{2}, {0.1}}, .both_sides = true}), {"decay", "both_sides"});
  expect_contains(error({}, rows), {"logit is an undefined tensor"});
}

} // namespace
} // namespace mneme::ops
