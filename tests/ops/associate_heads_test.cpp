// SPDX-License-Identifier: MIT

#include "mneme/ops/associate_heads.h"

#include <limits>

#include "mneme/core/parallel.h"
#include "mneme/ops/associate.h"
#include "mneme/ops/association_dropout.h"
#include "mneme/ops/attention_plan.h"
#include "ops/attention_masks.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

constexpr AttentionStrategy kStrategies[] = {AttentionStrategy::lanes, AttentionStrategy::rows};

/// Reference in plain LibTorch. `mask` is added to the scores; a row of -infinity has readout 0.
at::Tensor plain(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value, double beta,
                 const at::Tensor& mask = {}, const at::Tensor& dropout_factors = {}) {
  at::Tensor scores = at::matmul(query * beta, stored.transpose(2, 3));
  at::Tensor weights;
  if (mask.defined()) {
    scores = scores + mask;
    const at::Tensor all_masked = (scores == -std::numeric_limits<double>::infinity()).all(-1, true);
    weights = at::softmax(scores.masked_fill(all_masked, 0), -1).masked_fill(all_masked, 0);
  } else {
    weights = at::softmax(scores, -1);
  }
  return at::matmul(dropout_factors.defined() ? weights * dropout_factors : weights, value);
}

/// Order of the dimensions of [N, H, rows, features] in memory.
enum class Layout { batch_first, length_first, by_head };

at::Tensor random_heads(Layout layout, int64_t batch, int64_t heads, int64_t rows, int64_t features,
                        uint64_t seed) {
  switch (layout) {
  case Layout::batch_first:
    return random_tensor({batch, rows, heads, features}, seed).permute({0, 2, 1, 3});
  case Layout::length_first:
    return random_tensor({rows, batch, heads, features}, seed).permute({1, 2, 0, 3});
  case Layout::by_head:
    return random_tensor({batch, heads, rows, features}, seed);
  }
  return {};
}

/// Compares readouts and gradients with those of `plain`.
void expect_equals_plain(const std::vector<at::Tensor>& inputs, const AssociateHeadsOptions& options,
                         const at::Tensor& mask = {}, const at::Tensor& dropout_factors = {}) {
  std::vector<at::Tensor> ours, theirs;
  for (const at::Tensor& input : inputs) {
    ours.push_back(input.detach().clone().as_strided(input.sizes(), input.strides()).requires_grad_());
    theirs.push_back(input.detach().clone().requires_grad_());
  }
  const at::Tensor readout = associate_heads(ours[0], ours[1], ours[2], options);
  const at::Tensor expected = plain(theirs[0], theirs[1], theirs[2], options.beta, mask, dropout_factors);
  ASSERT_LT(max_abs_difference(readout, expected), 1e-13);
  {
    const at::NoGradGuard no_gradient;
    ASSERT_LT(max_abs_difference(associate_heads(ours[0], ours[1], ours[2], options), expected), 1e-13);
  }
  const at::Tensor cotangent = random_tensor(expected.sizes(), 9);
  readout.backward(cotangent);
  expected.backward(cotangent);
  for (size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_LT(max_abs_difference(ours[i].grad(), theirs[i].grad()), 1e-12) << "input " << i;
  }
}

TEST(AssociateHeads, EqualsPlainLibTorchInEveryLayoutAndForABatchOfOneInAnyInput) {
  for (const AttentionStrategy strategy : kStrategies) {
    const ForcedStrategy forced(strategy);
    for (const Layout layout : {Layout::batch_first, Layout::length_first, Layout::by_head}) {
      for (int batched = 0; batched < 8; ++batched) {
        for (const int64_t states : {1, 3}) {
          SCOPED_TRACE(::testing::Message()
                       << "strategy " << static_cast<int>(strategy) << ", layout " << static_cast<int>(layout)
                       << ", batched " << batched << ", " << states << " states");
          const auto batch = [&](int side) { return int64_t{(batched >> side & 1) != 0 ? 4 : 1}; };
          expect_equals_plain({random_heads(layout, batch(0), 2, states, 5, 1),
                               random_heads(layout, batch(1), 2, 7, 5, 2),
                               random_heads(layout, batch(2), 2, 7, 6, 3)},
                              {.beta = 0.7});
        }
      }
    }
  }
}

TEST(AssociateHeads, EqualsPlainLibTorchForShapesThatAreDividedIntoChunks) {
  struct Shape {
    int64_t batch, heads, states, stored, size;
  };
  for (const AttentionStrategy strategy : kStrategies) {
    const ForcedStrategy forced(strategy);
    for (const Shape n : {Shape{1, 1, 1, 5000, 64}, Shape{1, 1, 3000, 4, 64}, Shape{1, 2, 2, 40'000, 3},
                          Shape{1500, 1, 3, 2, 2}, Shape{1, 1, 2100, 700, 3}}) {
      for (const bool shares_stored : {false, true}) {
        SCOPED_TRACE(::testing::Message() << "strategy " << static_cast<int>(strategy) << ", " << n.batch
                                          << " x " << n.states << " states, " << n.stored << " stored");
        const int64_t batch = shares_stored ? 1 : n.batch;
        expect_equals_plain({random_heads(Layout::batch_first, n.batch, n.heads, n.states, n.size, 1),
                             random_heads(Layout::batch_first, batch, n.heads, n.stored, n.size, 2),
                             random_heads(Layout::batch_first, batch, n.heads, n.stored, 4, 3)},
                            {.beta = 0.3});
      }
    }
  }
}

TEST(AssociateHeads, AppliesMasksAndDropoutAsAssociate) {
  constexpr double kMasked = -std::numeric_limits<double>::infinity();
  const std::vector<at::Tensor> inputs{random_heads(Layout::batch_first, 3, 2, 4, 5, 1),
                                       random_heads(Layout::batch_first, 3, 2, 9, 5, 2),
                                       random_heads(Layout::batch_first, 3, 2, 9, 5, 3)};
  const at::Tensor padding = at::arange(9).unsqueeze(0) >= at::tensor({9, 5, 0}).unsqueeze(1),
                   scattered = random_tensor({3, 9}, 4) > 0.5, pairs = random_tensor({3, 2, 4, 9}, 5) > 0.5,
                   bias = random_tensor({1, 1, 4, 9}, 6);
  const auto as_numbers = [](const at::Tensor& mask) {
    return at::zeros(mask.sizes(), at::kDouble).masked_fill(mask, kMasked);
  };
  for (const AttentionStrategy strategy : kStrategies) {
    const ForcedStrategy forced(strategy);
    for (const at::Tensor& keys : {padding, scattered}) {
      const at::Tensor key_numbers = as_numbers(keys).unsqueeze(1).unsqueeze(1);
      expect_equals_plain(inputs, {.key_padding_mask = keys}, key_numbers);
      expect_equals_plain(inputs, {.key_padding_mask = keys, .attention_mask = pairs},
                          key_numbers + as_numbers(pairs));
      expect_equals_plain(inputs, {.key_padding_mask = keys, .attention_mask = bias}, key_numbers + bias);
    }
    const at::Tensor factors = association_dropout(at::zeros({3, 2, 4, 9}, at::kDouble), 0.4, 77);
    expect_equals_plain(inputs, {.beta = 2, .dropout = 0.4, .dropout_seed = 77}, {}, factors);
    expect_equals_plain({inputs[0], inputs[1].narrow(0, 0, 1), inputs[2].narrow(0, 0, 1)},
                        {.dropout = 0.4, .dropout_seed = 77}, {}, factors);
    expect_equals_plain({random_heads(Layout::length_first, 70, 2, 1, 5, 7), inputs[1].narrow(0, 0, 1),
                         inputs[2].narrow(0, 0, 1)},
                        {.dropout = 0.4, .dropout_seed = 78}, {},
                        association_dropout(at::zeros({70, 2, 1, 9}, at::kDouble), 0.4, 78));
    expect_equals_plain(inputs, {.key_padding_mask = scattered, .dropout = 0.4, .dropout_seed = 77},
                        as_numbers(scattered).unsqueeze(1).unsqueeze(1), factors);
  }
}

TEST(AssociateHeads, ReturnsTheWeights) {
  for (const int64_t stored_batch : {1, 3}) {
    const at::Tensor query = random_heads(Layout::batch_first, 3, 2, 4, 5, 1),
                     stored = random_heads(Layout::batch_first, stored_batch, 2, 9, 5, 2);
    at::Tensor weights;
    associate_heads(query, stored, stored, {.beta = 0.5, .weights = &weights});
    const at::Tensor expected = at::softmax(at::matmul(query * 0.5, stored.transpose(2, 3)), -1);
    EXPECT_LT(max_abs_difference(weights, expected), 1e-14);
  }
}

TEST(AssociateHeads, DoesNotDependOnTheNumberOfThreads) {
  struct Shape {
    int64_t batch, heads, states, stored, size;
  };
  for (const AttentionStrategy strategy : kStrategies) {
    const ForcedStrategy forced(strategy);
    for (const Shape n : {Shape{1, 1, 1, 9000, 32}, Shape{2, 3, 700, 30, 16}, Shape{400, 2, 3, 5, 8}}) {
      const auto all_results = [&](int count) {
        set_threads(count);
        std::vector<at::Tensor> inputs;
        for (const int64_t rows : {n.states, n.stored, n.stored}) {
          inputs.push_back(
              random_tensor({n.batch, rows, n.heads, n.size}, inputs.size(), at::kFloat).requires_grad_());
        }
        const auto heads = [&](size_t i) { return inputs[i].permute({0, 2, 1, 3}); };
        const at::Tensor readout = associate_heads(heads(0), heads(1), heads(2), {.beta = 0.2});
        std::vector<at::Tensor> results =
            torch::autograd::grad({readout}, inputs, {random_tensor(readout.sizes(), 5, at::kFloat)});
        results.push_back(readout.detach());
        return results;
      };
      const std::vector<at::Tensor> one = all_results(1), three = all_results(3);
      set_threads(1);
      for (size_t i = 0; i < one.size(); ++i) {
        EXPECT_TRUE(at::equal(one[i], three[i])) << "result " << i;
      }
    }
  }
}

TEST(AssociateHeads, EqualsAssociateForHalfPrecisionAndForAMaskWithGradient) {
  const at::Tensor query = random_heads(Layout::batch_first, 2, 2, 3, 4, 1),
                   stored = random_heads(Layout::batch_first, 2, 2, 5, 4, 2);
  const at::Tensor half =
      associate_heads(query.to(at::kHalf), stored.to(at::kHalf), stored.to(at::kHalf), {});
  EXPECT_EQ(half.scalar_type(), at::kHalf);
  EXPECT_LT(max_abs_difference(half, plain(query, stored, stored, 1)), 0.02);
  const at::Tensor bias = random_tensor({1, 1, 3, 5}, 3).requires_grad_();
  const at::Tensor readout = associate_heads(query, stored, stored, {.attention_mask = bias});
  EXPECT_LT(max_abs_difference(readout, plain(query, stored, stored, 1, bias)), 1e-14);
  EXPECT_TRUE(torch::autograd::grad({readout.sum()}, {bias})[0].defined());
}

TEST(AssociateHeads, NamesWhatDoesNotFit) {
  const at::Tensor query = at::zeros({2, 3, 4, 5}), stored = at::zeros({2, 3, 6, 5});
  expect_contains(usage_error_of([&] { associate_heads(query, stored.narrow(3, 0, 4), stored); }),
                  {"features", "[2, 3, 6, 4]"});
  expect_contains(usage_error_of([&] { associate_heads(query, stored.narrow(1, 0, 2), stored); }), {"heads"});
  expect_contains(usage_error_of([&] { associate_heads(query, stored, stored.narrow(2, 0, 5)); }),
                  {"patterns"});
  expect_contains(usage_error_of([&] { associate_heads(query[0], stored, stored); }), {"dimensions"});
  expect_contains(usage_error_of([&] {
                    associate_heads(query, stored, stored, {.beta = std::numeric_limits<double>::infinity()});
                  }),
                  {"beta"});
  expect_contains(usage_error_of([&] { associate_heads(query, stored, stored, {.dropout = 2}); }),
                  {"dropout"});
  at::Tensor weights;
  expect_contains(usage_error_of([&] {
                    const at::Tensor half = query.to(at::kHalf);
                    associate_heads(half, half, half, {.weights = &weights});
                  }),
                  {"weights"});
}

TEST(AttentionPlan, PrefersRowsForFewQueriesAndForFewStoredPatterns) {
  const auto chosen = [](int64_t queries, int64_t stored, int64_t size) {
    return chosen_strategy({.problems = 1,
                            .queries = queries,
                            .stored = stored,
                            .size = size,
                            .value_size = size,
                            .bytes_per_number = 4,
                            .has_gradient = false});
  };
  EXPECT_EQ(chosen(1, 1000, 64), AttentionStrategy::rows);
  EXPECT_EQ(chosen(4096, 4, 784), AttentionStrategy::rows);
  EXPECT_EQ(chosen(1024, 1024, 16), AttentionStrategy::lanes);
}

TEST(AttentionPlan, CountsTheCopiesOfInterleavedHeads) {
  const auto chosen = [](int64_t stored, bool is_strided) {
    return chosen_strategy({.problems = 1,
                            .queries = 90,
                            .stored = stored,
                            .size = 8,
                            .value_size = 8,
                            .bytes_per_number = 4,
                            .has_gradient = true,
                            .is_strided = is_strided});
  };
  EXPECT_EQ(chosen(24, false), AttentionStrategy::lanes);
  EXPECT_EQ(chosen(24, true), AttentionStrategy::rows);
  EXPECT_EQ(chosen(1000, true), AttentionStrategy::lanes);
}

TEST(AttentionPlan, CountsThePatternsThatACausalMaskSkips) {
  const auto chosen = [](double attended) {
    return chosen_strategy({.problems = 1,
                            .queries = 512,
                            .stored = 512,
                            .size = 64,
                            .value_size = 64,
                            .bytes_per_number = 4,
                            .has_gradient = true,
                            .is_strided = true,
                            .attended = attended});
  };
  EXPECT_EQ(chosen(1), AttentionStrategy::rows);
  EXPECT_EQ(chosen(0.5), AttentionStrategy::lanes);
}

TEST(AttentionPlan, ReadsFromTheMaskWhichPatternsAreSkipped) {
  const auto attended = [](const at::Tensor& mask) { return AttentionMasks({}, mask).attended(); };
  const at::Tensor causal = at::ones({1, 256, 256}, at::kBool).triu(1);
  EXPECT_NEAR(attended(causal), 0.5, 0.02);
  EXPECT_NEAR(attended(at::zeros({1, 256, 256}).masked_fill(causal, -INFINITY)), 0.5, 0.02);
  EXPECT_NEAR(attended(causal.expand({3, -1, -1})), 0.5, 0.04);
  EXPECT_EQ(attended(causal.flip(2)), 1); // the last pattern is attended
  EXPECT_EQ(attended(at::ones({2, 1, 9}, at::kBool)), 0);
  EXPECT_EQ(attended(at::ones({1, 0, 9}, at::kBool)), 1);
  EXPECT_EQ(attended(random_tensor({2, 5, 7}, 1)), 1);
  EXPECT_EQ(attended({}), 1);
}

TEST(AttentionPlan, FoldsNormsAndProjectionsOfLargeBagsOnly) {
  const auto folds = [](int64_t bags, int64_t rows, int64_t features, int64_t heads,
                        bool has_gradient = false) {
    return is_folding_faster({.bags = bags,
                              .query_bags = 1,
                              .states = 1,
                              .rows = rows,
                              .features = features,
                              .heads = heads,
                              .head_size = 32,
                              .value_size = 32,
                              .bytes_per_number = 4,
                              .has_gradient = has_gradient});
  };
  EXPECT_TRUE(folds(1, 100'000, 32, 1));
  EXPECT_TRUE(folds(256, 5, 512, 8));
  EXPECT_FALSE(folds(1, 3, 512, 8));  // the folded matrices are larger than the bag
  EXPECT_FALSE(folds(500, 1, 16, 8)); // each bag has as many queries as heads
  EXPECT_TRUE(folds(1, 60, 256, 8));
  EXPECT_FALSE(folds(1, 60, 256, 8, true)); // the backward pass of few rows takes longer
}

} // namespace
} // namespace mneme::ops
