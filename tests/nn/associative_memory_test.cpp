// SPDX-License-Identifier: MIT

#include "mneme/nn/associative_memory.h"

#include <cmath>

#include "mneme/nn/per_head.h"
#include "nn/layers.h"

namespace mneme::nn {
namespace {

using ops::Separation;

constexpr double kRounding = 1e-11; // of float64, energies of size 30

/// Patterns of equal norm, so that each matches itself best.
const at::Tensor kPatterns = 6 * torch::nn::functional::normalize(random_tensor({12, 8}, 21)),
                 kCues = kPatterns + 0.4 * random_tensor({12, 8}, 22);

AssociativeMemory filled(const AssociativeMemoryOptions& options, const at::Tensor& patterns = kPatterns) {
  AssociativeMemory memory(options);
  memory.store(patterns);
  return memory;
}

class MemoryWith : public ::testing::TestWithParam<Separation> {};

TEST_P(MemoryWith, RecallsEveryPatternFromANoisyCue) {
  const AssociativeMemory memory = filled(AssociativeMemoryOptions(4).separation(GetParam()));
  const MemoryRetrieval recalled = memory.retrieve(kCues);
  EXPECT_LT(max_abs_difference(recalled.readout, kPatterns), 1e-6);
  EXPECT_TRUE(recalled.converged.all().item<bool>());
  EXPECT_GE(recalled.steps.min().item<int64_t>(), 1);
  EXPECT_LT(recalled.steps.max().item<int64_t>(), 10);
}

TEST_P(MemoryWith, EveryUpdateLowersEnergyByAtLeastHalfTheSquaredStepAndEnergyIsNonNegative) {
  for (const double beta : {0.01, 0.1, 1.0, 20.0}) {
    const AssociativeMemory memory =
        filled(AssociativeMemoryOptions(beta).separation(GetParam()).update_steps_max(1));
    at::Tensor state = 3 * random_tensor({50, 8}, 23);
    for (int update = 0; update < 10; ++update) {
      const MemoryRetrieval next = memory.retrieve(state);
      const at::Tensor fall = memory.energy(state) - next.energy,
                       min_fall = (next.state - state).square().sum(-1) / 2;
      EXPECT_TRUE((fall >= min_fall - kRounding).all().item<bool>()) << beta << " " << update;
      EXPECT_GE(next.energy.min().item<double>(), -kRounding);
      state = next.state;
    }
  }
}

TEST_P(MemoryWith, StatesConvergeIndependently) {
  const AssociativeMemory memory = filled(AssociativeMemoryOptions(0.08).separation(GetParam()));
  const MemoryRetrieval together = memory.retrieve(kCues);
  for (int64_t i = 0; i < kCues.size(0); ++i) {
    const MemoryRetrieval alone = memory.retrieve(kCues.narrow(0, i, 1));
    EXPECT_EQ(alone.steps.item<int64_t>(), together.steps[i].item<int64_t>());
    EXPECT_LT(max_abs_difference(alone.state[0], together.state[i]), kRounding);
  }
  EXPECT_GT(together.steps.max().item<int64_t>(),
            together.steps.min().item<int64_t>()); // otherwise the test would be vacuous
}

TEST_P(MemoryWith, GradientMatchesFiniteDifferences) {
  ops::expect_gradients_of(
      [&](const std::vector<at::Tensor>& in) {
        AssociativeMemory memory(
            AssociativeMemoryOptions(0.4).separation(GetParam()).update_steps_max(3).update_steps_eps(0));
        memory.store(in[1], in[2]);
        const MemoryRetrieval result = memory.retrieve(in[0]);
        return (result.readout * random_tensor({2, 3}, 1)).sum() + result.energy.sum();
      },
      {random_tensor({2, 4}, 24), random_tensor({5, 4}, 25), random_tensor({5, 3}, 26)}, 1e-7);
}

INSTANTIATE_TEST_SUITE_P(EverySeparation, MemoryWith,
                         ::testing::Values(Separation::softmax, Separation::entmax15, Separation::sparsemax));

TEST(AssociativeMemory, ReadsOutAssociatedValues) {
  AssociativeMemory memory(AssociativeMemoryOptions(4));
  const at::Tensor values = at::eye(12, at::kDouble);
  memory.store(kPatterns.narrow(0, 0, 5), values.narrow(0, 0, 5)); // in two calls
  memory.store(kPatterns.narrow(0, 5, 7), values.narrow(0, 5, 7));
  EXPECT_EQ(memory.size(), 12);
  const MemoryRetrieval recalled = memory.retrieve(kCues);
  EXPECT_LT(max_abs_difference(recalled.readout, values), 1e-5);
  EXPECT_LT(max_abs_difference(recalled.state, kPatterns), 1e-5);
}

TEST(AssociativeMemory, SmallBetaAveragesAllPatterns) {
  const MemoryRetrieval recalled = filled(AssociativeMemoryOptions(1e-4)).retrieve(kCues);
  EXPECT_LT(max_abs_difference(recalled.state, kPatterns.mean(0, true).expand_as(kCues)), 0.01);
}

TEST(AssociativeMemory, AssociationIsTheWeightsOfTheNextUpdate) {
  const AssociativeMemory memory = filled(AssociativeMemoryOptions(0.5).update_steps_max(1));
  const at::Tensor association = memory.association(kCues);
  EXPECT_LT(max_abs_difference(association.sum(-1), at::ones({12}, at::kDouble)), kRounding);
  EXPECT_LT(max_abs_difference(at::matmul(association, kPatterns), memory.retrieve(kCues).state), kRounding);
}

TEST(AssociativeMemory, ReportsStatesThatHaveNotConverged) {
  const MemoryRetrieval recalled =
      filled(AssociativeMemoryOptions(0.3).update_steps_max(1).update_steps_eps(0)).retrieve(kCues);
  EXPECT_FALSE(recalled.converged.any().item<bool>());
  EXPECT_EQ(recalled.steps.max().item<int64_t>(), 1);
}

TEST(AssociativeMemory, AcceptsZeroStates) {
  const MemoryRetrieval recalled = filled({}).retrieve(at::empty({0, 8}, at::kDouble));
  EXPECT_EQ(recalled.state.sizes(), at::IntArrayRef({0, 8}));
  EXPECT_EQ(recalled.energy.numel(), 0);
}

TEST(AssociativeMemory, RejectsInvalidArguments) {
  using Options = AssociativeMemoryOptions;
  expect_contains(usage_error_of([] { AssociativeMemory(Options(0)); }), {"beta is 0"});
  expect_contains(usage_error_of([] { AssociativeMemory(Options(std::nan(""))); }), {"beta is nan"});
  expect_contains(usage_error_of([] { AssociativeMemory(Options().update_steps_max(0)); }),
                  {"update_steps_max is 0"});
  expect_contains(usage_error_of([] { AssociativeMemory(Options().update_steps_eps(-1)); }),
                  {"update_steps_eps is -1"});
  expect_contains(usage_error_of([] { AssociativeMemory().retrieve(kCues); }), {"no patterns are stored"});
  AssociativeMemory memory = filled({});
  expect_contains(usage_error_of([&] { memory.store({}); }), {"undefined"});
  expect_contains(usage_error_of([&] {
                    memory.store(kPatterns, at::ones({12, 2}, at::kDouble));
                  }),
                  {"with values", "12 stored patterns are without"});
  expect_contains(usage_error_of([&] { memory.store(at::ones({3, 7}, at::kDouble)); }), {"7 features", "8"});
  expect_contains(usage_error_of([&] { memory.retrieve(kCues.to(at::kFloat)); }), {"Float", "Double"});
  expect_contains(usage_error_of([&] { memory.retrieve(at::ones({8}, at::kDouble)); }), {"shape [8]"});
  expect_contains(usage_error_of([&] { memory.energy(at::full({1, 8}, NAN, at::kDouble)); }), {"NaN"});
  AssociativeMemory hetero;
  expect_contains(usage_error_of([&] {
                    hetero.store(kPatterns, at::ones({11, 2}, at::kDouble));
                  }),
                  {"12 patterns", "11 values"});
}

TEST(AssociativeMemory, ReportsNumbersThatAreTooLarge) {
  // Their squares overflow float32. The states that were given are finite.
  AssociativeMemory memory;
  const at::Tensor large = 1e20 * kPatterns.to(at::kFloat);
  memory.store(large);
  expect_contains(usage_error_of([&] { memory.retrieve(large); }),
                  {"after an update", "too large for Float"});
  expect_contains(usage_error_of([&] { memory.association(large); }), {"the association", "too large"});
  expect_contains(usage_error_of([&] { memory.energy(large); }), {"the energy", "too large"});
}

TEST(AssociativeMemory, RefusesToBeginWithNoPatterns) {
  AssociativeMemory memory;
  expect_contains(usage_error_of([&] { memory.store(at::ones({0, 8}, at::kDouble)); }), {"[0, 8]"});
  memory.store(kPatterns.slice(1, 0, 4)); // of another size: nothing was stored
  EXPECT_EQ(memory.size(), 12);
  memory.store(at::ones({0, 4}, at::kDouble));
  EXPECT_EQ(memory.size(), 12);
}

TEST(AssociativeMemory, AValuePerHeadNeedsAValue) {
  expect_contains(usage_error_of([] { PerHead<double> none(std::vector<double>{}); }), {"no values"});
}

} // namespace
} // namespace mneme::nn
