// SPDX-License-Identifier: MIT

#include "mneme/ops/separate.h"

#include <cmath>
#include <limits>

#include "mneme/memory/separation.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// All separations of the list; without softmax, those that have a kernel.
std::vector<Separation> separations(bool with_softmax) {
  std::vector<Separation> found;
  for (const NamedSeparation& named : kSimplexSeparations) {
    if (with_softmax || named.separation != Separation::softmax) {
      found.push_back(named.separation);
    }
  }
  return found;
}
std::string name_of_test(const ::testing::TestParamInfo<Separation>& test) {
  return std::string(name_of(test.param));
}

/// Weights by definition: a power of max(c scores - tau, 0), with tau found by bisection such that they sum
/// to 1. For normmax the squares of max(scores - tau, 0) sum to 1, and the weights are is_normmax by their
/// sum.
at::Tensor by_bisection(const at::Tensor& scores, Separation separation) {
  const bool is_normmax = separation == Separation::normmax;
  double alpha = separation.alpha;
  if (separation == Separation::sparsemax) {
    alpha = 2;
  } else if (separation == Separation::entmax15) {
    alpha = 1.5;
  }
  const at::Tensor z = is_normmax ? scores : scores * (alpha - 1);
  const double power = is_normmax ? 2 : 1 / (alpha - 1);
  const auto terms = [&](const at::Tensor& tau) { return (z - tau).clamp_min(0).pow(power); };
  at::Tensor high = z.amax(-1, true), low = high - 1;
  for (int i = 0; i < 100; ++i) {
    const at::Tensor middle = (low + high) / 2, too_low = terms(middle).sum(-1, true) > 1;
    low = at::where(too_low, middle, low);
    high = at::where(too_low, high, middle);
  }
  const at::Tensor above = (z - low).clamp_min(0);
  return is_normmax ? above / above.sum(-1, true) : terms(low);
}

TEST(Entmax, IsSparsemaxAt2AndEntmax15At1AndAHalf) {
  const at::Tensor scores = random_tensor({20, 33}, 14);
  EXPECT_LT(
      max_abs_difference(separate(scores, Separation::entmax(2)), separate(scores, Separation::sparsemax)),
      1e-14);
  EXPECT_LT(
      max_abs_difference(separate(scores, Separation::entmax(1.5)), separate(scores, Separation::entmax15)),
      1e-14);
  EXPECT_LT(max_abs_difference(separate(scores, Separation::entmax(1.0001)), at::softmax(scores, -1)), 1e-3);
}

TEST(Entmax, RejectsAnAlphaOutOfRange) {
  for (const double alpha : {1.0, 2.5, 0.0, std::numeric_limits<double>::quiet_NaN()}) {
    expect_contains(usage_error_of([&] { separate(at::ones({3}), Separation::entmax(alpha)); }),
                    {"alpha", "(1, 2]"});
  }
}

class SparseSeparation : public ::testing::TestWithParam<Separation> {};

TEST_P(SparseSeparation, EqualsBisectionAtEverySharpness) {
  for (const double sharpness : {0.01, 0.3, 1.0, 10.0, 1e4}) {
    for (const int64_t count : {1, 2, 3, 17, 500}) {
      const at::Tensor scores = sharpness * random_tensor({40, count}, 5);
      const at::Tensor weights = separate(scores, GetParam());
      EXPECT_LT(max_abs_difference(weights, by_bisection(scores, GetParam())), 1e-11)
          << sharpness << " " << count;
      EXPECT_LT(max_abs_difference(weights.sum(-1), at::ones({40}, at::kDouble)), 1e-13);
    }
  }
}

TEST_P(SparseSeparation, GivesDistantPatternsWeightZero) {
  const at::Tensor scores = at::tensor({0.0, 5.0, 4.9, -kInfinity, -1e300}, at::kDouble);
  const at::Tensor weights = separate(scores, GetParam());
  EXPECT_EQ(weights[0].item<double>(), 0);
  EXPECT_GT(weights[1].item<double>(), weights[2].item<double>());
  EXPECT_GT(weights[2].item<double>(), 0);
  EXPECT_EQ(weights[3].item<double>(), 0);
  EXPECT_EQ(weights[4].item<double>(), 0);
}

TEST_P(SparseSeparation, GivesTiesEqualWeights) {
  for (const int64_t count : {1, 2, 7, 1000}) {
    const at::Tensor weights = separate(at::full({count}, 3.7), GetParam());
    EXPECT_LT(max_abs_difference(weights, at::full({count}, 1.0 / static_cast<double>(count))), 1e-6);
  }
}

TEST_P(SparseSeparation, KeepsItsPrecisionInFloat32ForLargeScores) {
  const at::Tensor scores = random_tensor({30, 50}, 6) + 1000;
  const at::Tensor narrow = scores.to(at::kFloat);
  EXPECT_LT(max_abs_difference(separate(narrow, GetParam()), separate(narrow.to(at::kDouble), GetParam())),
            2e-6);
}

TEST_P(SparseSeparation, GradientsEqualFiniteDifferences) {
  const at::Tensor scores = random_tensor({4, 6}, 7), direction = random_tensor({4, 6}, 8);
  expect_gradients_of(
      [&](const std::vector<at::Tensor>& in) { return (separate(in[0], GetParam()) * direction).sum(); },
      {scores});
}

TEST_P(SparseSeparation, SupportsDoubleBackward) {
  const at::Tensor scores = 0.5 * random_tensor({1, 4}, 9).requires_grad_();
  const auto gradient = [&](const at::Tensor& x) {
    return torch::autograd::grad({separate(x, GetParam()).pow(3).sum()}, {x}, {}, true, true)[0];
  };
  expect_gradients_of(
      [&](const std::vector<at::Tensor>& in) {
        const at::AutoGradMode on(true);
        const at::Tensor x = in[0].requires_grad() ? in[0] : in[0].detach().clone().requires_grad_();
        return gradient(x).square().sum();
      },
      {scores.detach()}, 1e-6);
}

TEST_P(SparseSeparation, IsTheSameInHalfPrecisionAndInPlainLibTorch) {
  const at::Tensor scores = random_tensor({20, 33}, 12);
  EXPECT_LT(max_abs_difference(separate(scores.to(at::kBFloat16), GetParam()), separate(scores, GetParam())),
            0.05);
}

INSTANTIATE_TEST_SUITE_P(All, SparseSeparation, ::testing::ValuesIn(separations(false)), name_of_test);

class AnySeparation : public ::testing::TestWithParam<Separation> {};

TEST_P(AnySeparation, IsEqualForMemoriesAndTensors) {
  for (const double beta : {0.1, 1.0, 25.0}) {
    const at::Tensor scores = random_tensor({6, 40}, 13);
    const Scores of_memory{
        RealPatterns(6, 40,
                     std::vector<double>(scores.const_data_ptr<double>(),
                                         scores.const_data_ptr<double>() + scores.numel())),
        ScoreKind::other, 0};
    const RealPatterns weights = mneme::separate(of_memory, SimplexWeights{GetParam(), beta});
    const at::Tensor expected = separate(scores * beta, GetParam());
    for (int64_t q = 0; q < 6; ++q) {
      for (int64_t s = 0; s < 40; ++s) {
        EXPECT_NEAR(weights[q][static_cast<size_t>(s)], expected[q][s].item<double>(), 1e-13);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, AnySeparation, ::testing::ValuesIn(separations(true)), name_of_test);

class Potential : public ::testing::TestWithParam<Separation> {};

TEST_P(Potential, HasTheWeightsAsGradient) {
  const at::Tensor scores = random_tensor({5, 7}, 10).requires_grad_();
  separation_potential(scores, GetParam()).sum().backward();
  EXPECT_LT(max_abs_difference(scores.grad(), separate(scores, GetParam())), 1e-14);
  expect_gradients_of(
      [&](const std::vector<at::Tensor>& in) { return separation_potential(in[0], GetParam()).sum(); },
      {scores.detach()});
}

TEST_P(Potential, OfEqualScoresIsTheScorePlusTheMaximumEntropy) {
  for (const int64_t count : {1, 2, 9}) {
    const at::Tensor scores = at::full({count}, 2.5, at::kDouble);
    EXPECT_NEAR(separation_potential(scores, GetParam()).item<double>(), 2.5 + max_entropy(count, GetParam()),
                1e-13);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Potential, ::testing::ValuesIn(separations(true)), name_of_test);

TEST(Separate, OfSoftmaxIsSoftmax) {
  const at::Tensor scores = random_tensor({3, 4}, 11);
  EXPECT_EQ(max_abs_difference(separate(scores, Separation::softmax), at::softmax(scores, -1)), 0);
}

TEST(Separate, ReportsWrongArguments) {
  expect_contains(usage_error_of([] { separate({}, Separation::sparsemax); }), {"separate", "undefined"});
  expect_contains(usage_error_of([] { separate(at::ones({2}, at::kLong), Separation::sparsemax); }),
                  {"Long"});
  expect_contains(usage_error_of([] {
                    separate(at::ones({2, 0}), Separation::entmax15);
                  }),
                  {"[2, 0]", "at least 1"});
}

} // namespace
} // namespace mneme::ops
