// SPDX-License-Identifier: MIT

#include "mneme/ops/leap_projected.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "mneme/core/parallel.h"
#include "mneme/ops/association_dropout.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

/// leap of the entire projection, as a reference.
at::Tensor unfused(const at::Tensor& x, const at::Tensor& weight, int64_t num_heads,
                   const LeapOptions& options) {
  std::vector<at::Tensor> parts = at::linear(x, weight).chunk(4, -1);
  for (at::Tensor& part : parts) {
    part = part.unflatten(-1, {num_heads, -1});
  }
  return leap(parts[0], parts[1], parts[2], parts[3], options).flatten(2);
}

at::Tensor fused(const at::Tensor& x, const at::Tensor& weight, int64_t num_heads,
                 const LeapOptions& options) {
  return leap_projected(x, weight, num_heads, options);
}

/// The readout, and the gradients of x and weight for a random linear combination of readouts.
template <class Function>
std::vector<at::Tensor> all_of(Function function, const at::Tensor& x, const at::Tensor& weight,
                               int64_t num_heads, const LeapOptions& options) {
  const at::Tensor input = x.clone().requires_grad_(), matrix = weight.clone().requires_grad_();
  const at::Tensor readout = function(input, matrix, num_heads, options);
  const auto gradients = torch::autograd::grad({readout}, {input, matrix},
                                               {random_tensor(readout.sizes(), 7).to(x.scalar_type())});
  return {readout, gradients[0], gradients[1]};
}

TEST(LeapProjected, MatchesLeapOfProjection) {
  constexpr int64_t kHeads = 2, kFeatures = 5, kOutputs = 4 * kHeads * 3;
  const at::Tensor weight = random_tensor({kOutputs, kFeatures}, 1);
  // A block has up to 512 tokens of one or several sequences.
  for (const auto& [batches, tokens] : {std::pair<int64_t, int64_t>{1, 1},
                                        {700, 1},
                                        {3, 40},
                                        {30, 40},
                                        {2, 511},
                                        {2, 512},
                                        {1, 513},
                                        {2, 1500},
                                        {400, 3},
                                        {33, 16},
                                        {2, 0},
                                        {0, 9}}) {
    const at::Tensor x = random_tensor({batches, tokens, kFeatures}, 2);
    for (const FocusWeight weights : {FocusWeight::elu, FocusWeight::exponential}) {
      const LeapOptions options{.weight = weights, .windows = {{0, 20}}};
      const auto got = all_of(fused, x, weight, kHeads, options),
                 expected = all_of(unfused, x, weight, kHeads, options);
      for (size_t i = 0; i < got.size(); ++i) {
        ASSERT_EQ(got[i].sizes(), expected[i].sizes());
        if (expected[i].numel() > 0) {
          EXPECT_LE(max_abs_difference(got[i], expected[i]),
                    1e-12 * (1 + expected[i].abs().max().item<double>()))
              << batches << " sequences of " << tokens << ", tensor " << i;
        }
      }
      const at::NoGradGuard no_gradient;
      const at::Tensor readout = leap_projected(x, weight, kHeads, options);
      EXPECT_TRUE(readout.numel() == 0 || max_abs_difference(readout, expected[0]) < 1e-12);
    }
  }
}

TEST(LeapProjected, SupportsOptionsWithoutKernels) {
  const at::Tensor weight = random_tensor({24, 5}, 1), x = random_tensor({2, 600, 5}, 2);
  const at::Tensor factor = random_tensor({2, 600, 2}, 3);
  for (const LeapOptions& options :
       {LeapOptions{.windows = {{9}, {0.1}}}, LeapOptions{.gate = LeapGate::open},
        LeapOptions{.epsilon = 0.5}, LeapOptions{.both_sides = true}, LeapOptions{.logit_factor = factor}}) {
    const auto got = all_of(fused, x, weight, 2, options), expected = all_of(unfused, x, weight, 2, options);
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_LE(max_abs_difference(got[i], expected[i]),
                1e-12 * (1 + expected[i].abs().max().item<double>()));
    }
  }
  const at::Tensor half = leap_projected(x.to(at::kBFloat16), weight.to(at::kBFloat16), 2);
  EXPECT_EQ(half.scalar_type(), at::kBFloat16);
}

at::Tensor scaled_by_position(const at::Tensor& parts, int64_t first) {
  const at::Tensor position = at::arange(first, first + parts.size(1), parts.options()).view({-1, 1, 1, 1});
  return (parts * parts).sum(-1, true).rsqrt() * parts * (1 + 0.1 * (0.01 * position).cos());
}

/// Expects leap_projected to match reference(x, weight, heads, options) for several numbers of sequences and
/// tokens.
template <class Reference>
void expect_matches(Reference reference, const ProjectionTransform& transform,
                    const ProjectionDropout& dropout) {
  const auto ours = [&](const at::Tensor& x, const at::Tensor& weight, int64_t heads, const LeapOptions& o) {
    return leap_projected(x, weight, heads, o, transform, dropout);
  };
  const at::Tensor weight = random_tensor({24, 5}, 1);
  for (const auto& [batches, tokens] :
       {std::pair<int64_t, int64_t>{1, 1}, {30, 40}, {40, 3}, {2, 1500}, {2, 0}}) {
    const at::Tensor x = random_tensor({batches, tokens, 5}, 2);
    for (const LeapOptions& options :
         {LeapOptions{.windows = {{0, 20}}}, LeapOptions{.windows = {{9}, {0.1}}, .gate = LeapGate::open},
          LeapOptions{.logit_factor = random_tensor({batches, tokens, 2}, 3)},
          LeapOptions{.windows = {{0, 20}},
          .key_padding_mask = random_tensor({batches, tokens}, 4) <= -0.5}}) {
      const std::vector<at::Tensor> got = all_of(ours, x, weight, 2, options),
                                    expected = all_of(reference, x, weight, 2, options);
      for (size_t i = 0; i < got.size() && expected[i].numel() > 0; ++i) {
        EXPECT_LE(max_abs_difference(got[i], expected[i]),
                  1e-12 * (1 + expected[i].abs().max().item<double>()))
            << batches << " sequences of " << tokens << ", tensor " << i;
      }
      const at::NoGradGuard no_gradient;
      EXPECT_TRUE(tokens == 0 || max_abs_difference(ours(x, weight, 2, options), expected[0]) < 1e-12);
    }
  }
}

TEST(LeapProjected, TransformMatchesThatOfEntireProjection) {
  const auto reference = [&](const at::Tensor& x, const at::Tensor& weight, int64_t heads,
                             const LeapOptions& o) {
    const at::Tensor parts = scaled_by_position(at::linear(x, weight).unflatten(2, {4, heads, -1}), 0);
    return leap(parts.select(2, 0), parts.select(2, 1), parts.select(2, 2), parts.select(2, 3), o).flatten(2);
  };
  expect_matches(reference, scaled_by_position, {});
}

TEST(LeapProjected, DropoutMaskIsTheSameInBackward) {
  const ProjectionDropout dropout{.probability = 0.3, .seed = 42};
  for (const ProjectionTransform& transform :
       {ProjectionTransform(), ProjectionTransform(scaled_by_position)}) {
    const auto reference = [&](const at::Tensor& x, const at::Tensor& weight, int64_t heads, LeapOptions o) {
      const at::Tensor rows = at::linear(x, weight);
      const at::Tensor factors =
          association_dropout(rows.reshape({-1, rows.size(2)}), dropout.probability, dropout.seed)
              .view_as(rows);
      at::Tensor parts = rows.unflatten(2, {4, heads, -1});
      parts = transform ? transform(parts, 0) : parts;
      const at::Tensor f = factors.unflatten(2, {4, heads, -1});
      const at::Tensor logit_factors = factors.slice(2, rows.size(2) / 2, rows.size(2) / 2 + heads);
      o.logit_factor = o.logit_factor.defined() ? o.logit_factor * logit_factors : logit_factors;
      return leap(parts.select(2, 0) * f.select(2, 0), parts.select(2, 1) * f.select(2, 1),
                  parts.select(2, 2), parts.select(2, 3) * f.select(2, 3), o)
          .flatten(2);
    };
    expect_matches(reference, transform, dropout);
  }
}

TEST(LeapProjected, OfLargeProjectionsEqualsThatOfEachSequence) {
  const int64_t tokens = 4200; // of two sequences, whose projection has more than 32 MB
  const at::Tensor weight = random_tensor({512, 5}, 1), x = random_tensor({2, tokens, 5}, 2);
  const at::Tensor key_padding_mask = random_tensor({2, tokens}, 4) <= -0.5;
  const at::NoGradGuard no_gradient;
  for (const ProjectionTransform& transform :
       {ProjectionTransform(), ProjectionTransform(scaled_by_position)}) {
    const auto readout_of = [&](int64_t first, int64_t count, double dropout) {
      return leap_projected(
          x.narrow(0, first, count), weight, 2,
          {.windows = {{0, 700}}, .key_padding_mask = key_padding_mask.narrow(0, first, count)}, transform,
          {.probability = dropout, .seed = 42});
    };
    const at::Tensor both = readout_of(0, 2, 0);
    EXPECT_LT(max_abs_difference(both[0], readout_of(0, 1, 0)[0]), 1e-12);
    EXPECT_LT(max_abs_difference(both[1], readout_of(1, 1, 0)[0]), 1e-12);
    EXPECT_LT(max_abs_difference(readout_of(0, 2, 0.1)[0], readout_of(0, 1, 0.1)[0]), 1e-12);
  }
}

TEST(LeapProjected, DropoutDependsOnSeed) {
  const at::Tensor weight = random_tensor({24, 5}, 1), x = random_tensor({2, 600, 5}, 2);
  const auto with = [&](double probability, int64_t seed) {
    return leap_projected(x, weight, 2, {}, {}, {.probability = probability, .seed = seed});
  };
  EXPECT_TRUE(with(0.1, 3).equal(with(0.1, 3)));
  EXPECT_GT(max_abs_difference(with(0.1, 3), with(0.1, 4)), 0.01);
  EXPECT_TRUE(with(0, 3).equal(leap_projected(x, weight, 2)));
  EXPECT_TRUE(with(1, 3).equal(at::zeros({2, 600, 6}, x.options())));
  const at::Tensor half = leap_projected(x.to(at::kBFloat16), weight.to(at::kBFloat16), 2, {}, {}, {0.1, 3});
  EXPECT_LT(max_abs_difference(half.to(at::kDouble), with(0.1, 3)), 0.1);
  expect_contains(usage_error_of([&] { with(1.5, 3); }), {"dropout is 1.5", "[0, 1]"});
  expect_contains(usage_error_of([&] { with(NAN, 3); }), {"dropout is nan"});
}

TEST(LeapProjected, DoesNotDependOnNumberOfThreads) {
  const int before = threads();
  // With 64 features per head, the tokens of a head are also cut into chunks.
  for (const int64_t features : {3, 64}) {
    const at::Tensor weight = random_tensor({8 * features, 5}, 1).to(at::kFloat),
                     x = random_tensor({1, 1200, 5}, 2).to(at::kFloat);
    for (const double probability : {0.0, 0.1}) {
      const auto with_dropout = [probability](const at::Tensor& input, const at::Tensor& matrix,
                                              int64_t heads, const LeapOptions& options) {
        return leap_projected(input, matrix, heads, options, {}, {.probability = probability, .seed = 8});
      };
      set_threads(1);
      const auto sequential = all_of(with_dropout, x, weight, 2, {.windows = {{100, 0}}});
      for (const int count : {2, 4}) {
        set_threads(count);
        const auto parallel = all_of(with_dropout, x, weight, 2, {.windows = {{100, 0}}});
        for (size_t i = 0; i < sequential.size(); ++i) {
          EXPECT_TRUE(sequential[i].equal(parallel[i])) << features << " features, " << count << " threads";
        }
      }
    }
  }
  set_threads(before);
}

TEST(LeapProjected, ComputesSingleGradients) {
  const at::Tensor weight = random_tensor({24, 5}, 1), x = random_tensor({1, 30, 5}, 2);
  const auto gradient = [](const at::Tensor& input, const at::Tensor& readout) {
    return torch::autograd::grad({readout.sum()}, {input})[0];
  };
  const at::Tensor matrix = weight.clone().requires_grad_(), input = x.clone().requires_grad_();
  EXPECT_LT(max_abs_difference(gradient(matrix, leap_projected(x, matrix, 2)),
                               gradient(matrix, unfused(x, matrix, 2, {}))),
            1e-12);
  EXPECT_LT(max_abs_difference(gradient(input, leap_projected(input, weight, 2)),
                               gradient(input, unfused(input, weight, 2, {}))),
            1e-12);
}

TEST(LeapProjected, RejectsInvalidArguments) {
  const at::Tensor weight = random_tensor({24, 5}, 1), x = random_tensor({1, 600, 5}, 2);
  const auto error = [](const at::Tensor& input, const at::Tensor& matrix, int64_t heads,
                        const LeapOptions& options = {}) {
    return usage_error_of([&] { leap_projected(input, matrix, heads, options); });
  };
  expect_contains(error({}, weight, 2), {"x is an undefined tensor"});
  expect_contains(error(x, {}, 2), {"weight is an undefined tensor"});
  expect_contains(error(x[0], weight, 2), {"x has 2 dimensions", "3 are needed"});
  expect_contains(error(x, weight.slice(1, 0, 4), 2), {"weight has 4 features", "x has 5 features"});
  expect_contains(error(x, weight.to(at::kFloat), 2), {"Float", "Double"});
  expect_contains(error(x, weight, 5), {"24 outputs", "5 heads"});
  expect_contains(error(x, weight, 0), {"24 outputs", "0 heads"});
  expect_contains(error(x, weight, INT64_MAX), {"24 outputs"});
  expect_contains(error(x, weight, 2, {.windows = {{-3}}}), {"-3 tokens"});
  at::Tensor invalid = x.clone();
  invalid[0][550][2] = NAN;
  expect_contains(error(invalid, weight, 2), {"is nan at batch 0, token 550"});
  const at::Tensor matrix = weight.clone().requires_grad_();
  expect_contains(error(invalid, matrix, 2), {"is nan at batch 0, token 550"});
  const at::Tensor readout = leap_projected(x, matrix, 2);
  expect_contains(usage_error_of([&] { torch::autograd::grad({readout.sum()}, {matrix}, {}, true, true); }),
                  {"second derivative"});
}

} // namespace
} // namespace mneme::ops
