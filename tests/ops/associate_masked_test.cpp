// SPDX-License-Identifier: MIT

#include <limits>

#include "mneme/core/parallel.h"
#include "mneme/ops/associate.h"
#include "mneme/ops/association_change.h"
#include "mneme/ops/association_dropout.h"
#include "ops/allocated_bytes.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

constexpr double kMaskedScore = -std::numeric_limits<double>::infinity();

/// True with probability 0.35.
at::Tensor random_mask(at::IntArrayRef shape, uint64_t seed) {
  return at::rand(shape, at::make_generator<at::CPUGeneratorImpl>(seed)) < 0.35;
}

/// Attention weights in plain LibTorch, for an additive mask [B, Q, S].
at::Tensor plain_weights(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& mask) {
  const at::Tensor all_masked = (mask == kMaskedScore).all(-1, true);
  return at::softmax((at::matmul(query, stored.transpose(1, 2)) + mask).masked_fill(all_masked, 0), -1)
      .masked_fill(all_masked, 0);
}

/// Both masks as one additive mask [batches, queries, stored].
at::Tensor additive_mask(const at::Tensor& key_padding_mask, const at::Tensor& attention_mask,
                         int64_t batches, int64_t queries, int64_t stored) {
  at::Tensor numbers = at::zeros({batches, queries, stored}, at::kDouble);
  if (key_padding_mask.defined()) {
    const at::Tensor padding =
        key_padding_mask.to(at::kBool).repeat_interleave(batches / key_padding_mask.size(0), 0);
    numbers = numbers.masked_fill(padding.unsqueeze(1), kMaskedScore);
  }
  if (attention_mask.defined()) {
    const at::Tensor rows = attention_mask.dim() == 2
                                ? attention_mask.unsqueeze(0)
                                : attention_mask.repeat_interleave(batches / attention_mask.size(0), 0);
    numbers = at::isFloatingType(attention_mask.scalar_type())
                  ? numbers + rows
                  : numbers.masked_fill(rows.to(at::kBool), kMaskedScore);
  }
  return numbers;
}

/// Masks for 4 batches, 5 queries and 9 patterns; some queries ignore all patterns.
struct Masks {
  at::Tensor key_padding_mask, attention_mask;
};
std::vector<Masks> all_masks() {
  const at::Tensor padding = random_mask({2, 9}, 1), boolean = random_mask({4, 5, 9}, 2),
                   additive =
                       random_tensor({4, 5, 9}, 3).masked_fill(random_mask({4, 5, 9}, 4), kMaskedScore);
  padding[1] = true;
  boolean[2][3] = true;
  additive[1][0] = kMaskedScore;
  return {{padding, {}},
          {padding[0].unsqueeze(0).to(at::kByte), {}},
          {{}, boolean},
          {{}, 3 * boolean[0].to(at::kByte)},
          {{}, additive},
          {{}, additive[1]},
          {padding, boolean},
          {padding, additive.slice(0, 0, 2)},
          {padding.t().contiguous().t(), additive.transpose(1, 2).contiguous().transpose(1, 2)},
          {{}, additive[0].unsqueeze(0).expand({4, 5, 9})}};
}

TEST(AssociateMasked, EqualsPlainAutograd) {
  for (const auto& [key_padding_mask, attention_mask] : all_masks()) {
    for (int batched_inputs = 0; batched_inputs < 8; ++batched_inputs) {
      const auto batches = [&](int side) { return int64_t{(batched_inputs >> side & 1) != 0 ? 4 : 1}; };
      if (batched_inputs == 0) { // at least one input must have all batches
        continue;
      }
      const std::vector<at::Tensor> inputs{random_tensor({batches(0), 5, 3}, 5),
                                           random_tensor({batches(1), 9, 3}, 6),
                                           random_tensor({batches(2), 9, 2}, 7)};
      std::vector<at::Tensor> ours, theirs;
      for (const at::Tensor& input : inputs) {
        ours.push_back(input.clone().requires_grad_());
        theirs.push_back(input.clone().requires_grad_());
      }
      const at::Tensor readout =
          associate(ours[0], ours[1], ours[2],
                    {.beta = 1.0, .key_padding_mask = key_padding_mask, .attention_mask = attention_mask});
      const at::Tensor expected = at::matmul(
          plain_weights(theirs[0], theirs[1], additive_mask(key_padding_mask, attention_mask, 4, 5, 9)),
          theirs[2]);
      EXPECT_LT(max_abs_difference(readout, expected), 1e-14);
      const at::Tensor d_readout = random_tensor({4, 5, 2}, 8);
      readout.backward(d_readout);
      expected.backward(d_readout);
      for (size_t i = 0; i < 3; ++i) {
        EXPECT_LT(max_abs_difference(ours[i].grad(), theirs[i].grad()), 1e-13)
            << "input " << i << ", batched inputs " << batched_inputs;
      }
      const auto in_half = [](const at::Tensor& input) { return input.detach().to(at::kBFloat16); };
      const bool is_additive = attention_mask.defined() && at::isFloatingType(attention_mask.scalar_type());
      const AssociateOptions options{.beta = 1.0,
                                     .key_padding_mask = key_padding_mask,
                                     .attention_mask =
                                         is_additive ? in_half(attention_mask) : attention_mask};
      EXPECT_LT(max_abs_difference(associate(in_half(ours[0]), in_half(ours[1]), in_half(ours[2]), options),
                                   expected),
                0.2);
    }
  }
}

TEST(AssociateMasked, GradientsEqualFiniteDifferencesAlsoInAnAdditiveMask) {
  at::Tensor key_padding_mask = at::zeros({1, 6}, at::kBool);
  key_padding_mask[0][4] = true;
  expect_gradients_of(
      [&](const std::vector<at::Tensor>& in) {
        return associate(
                   in[0], in[1], in[2],
                   {.beta_tensor = in[3], .key_padding_mask = key_padding_mask, .attention_mask = in[4]})
            .square()
            .sum();
      },
      {random_tensor({2, 3, 4}, 1), random_tensor({2, 6, 4}, 2), random_tensor({2, 6, 2}, 3),
       random_tensor({1}, 4), random_tensor({3, 6}, 5)});
}

struct Shape {
  int64_t batches, queries, stored;
};

/// Readout of random tensors, and gradients of query, stored and value, computed on `num_threads` threads.
std::vector<at::Tensor> readout_and_gradients(const Shape& n, const AssociateOptions& options,
                                              int num_threads, at::ScalarType type) {
  set_threads(num_threads);
  std::vector<at::Tensor> in;
  for (const uint64_t seed : {3, 4, 5}) {
    in.push_back(
        random_tensor({n.batches, seed == 3 ? n.queries : n.stored, 4}, seed, type).requires_grad_());
  }
  const at::Tensor readout = associate(in[0], in[1], in[2], options);
  readout.backward(random_tensor(readout.sizes(), 6, type));
  return {readout.detach(), in[0].grad(), in[1].grad(), in[2].grad()};
}

void expect_independent_of_threads(const Shape& n, const AssociateOptions& options) {
  const std::vector<at::Tensor> single = readout_and_gradients(n, options, 1, at::kFloat),
                                several = readout_and_gradients(n, options, 5, at::kFloat);
  for (size_t i = 0; i < single.size(); ++i) {
    EXPECT_TRUE(single[i].equal(several[i])) << i;
  }
}

TEST(AssociateMasked, WithAnyChunksEqualsPlainAndDoesNotDependOnTheNumberOfThreads) {
  const int before = threads();
  for (const Shape n : {Shape{1, 5, 9000}, {1, 4100, 40}, {2, 300, 5000}}) {
    const at::Tensor key_padding_mask = random_mask({n.batches, n.stored}, 1),
                     attention_mask = random_mask({n.queries, n.stored}, 2);
    const AssociateOptions options{
        .beta = 1.0, .key_padding_mask = key_padding_mask, .attention_mask = attention_mask};
    expect_independent_of_threads(n, options);
    const at::Tensor query = random_tensor({n.batches, n.queries, 4}, 3),
                     stored = random_tensor({n.batches, n.stored, 4}, 4);
    const at::Tensor expected = at::matmul(
        plain_weights(query, stored,
                      additive_mask(key_padding_mask, attention_mask, n.batches, n.queries, n.stored)),
        random_tensor({n.batches, n.stored, 4}, 5));
    EXPECT_LT(max_abs_difference(readout_and_gradients(n, options, 2, at::kDouble)[0], expected), 1e-12);
  }
  set_threads(before);
}

TEST(AssociateMasked, NeverStoresTheWeights) {
  constexpr int64_t kLength = 2048;
  const at::Tensor causal = at::ones({kLength, kLength}, at::kBool).triu(1);
  at::Tensor padding = at::zeros({2, kLength}, at::kBool);
  padding.slice(1, 1900) = true;
  std::vector<at::Tensor> in;
  for (const uint64_t seed : {1, 2, 3}) {
    in.push_back(random_tensor({4, kLength, 8}, seed, at::kFloat).requires_grad_());
  }
  const AllocatedBytes allocated;
  associate(in[0], in[1], in[2],
            {.key_padding_mask = padding, .attention_mask = causal, .dropout = 0.1, .dropout_seed = 1})
      .sum()
      .backward();
  EXPECT_GT(allocated.peak(), 0);
  // Readout, gradients, and at most 16 partial gradients: far below the weights in float32.
  EXPECT_LT(allocated.peak(), 4 * kLength * kLength * 4 / 2);
}

TEST(AssociateDropped, EqualsPlainAutogradForTheSameSeed) {
  constexpr int64_t kSeed = 0x7123456789ABCDEF;
  for (int batched_inputs = 1; batched_inputs < 8; ++batched_inputs) {
    const auto batches = [&](int side) { return int64_t{(batched_inputs >> side & 1) != 0 ? 4 : 1}; };
    const std::vector<at::Tensor> inputs{random_tensor({batches(0), 5, 3}, 5),
                                         random_tensor({batches(1), 9, 3}, 6),
                                         random_tensor({batches(2), 9, 2}, 7)};
    for (const double p : {0.0, 0.3, 1.0}) {
      std::vector<at::Tensor> ours, theirs;
      for (const at::Tensor& input : inputs) {
        ours.push_back(input.clone().requires_grad_());
        theirs.push_back(input.clone().requires_grad_());
      }
      const at::Tensor mask = random_mask({5, 9}, 2), numbers = additive_mask({}, mask, 4, 5, 9);
      const AssociateOptions options{
          .beta = 1.0, .attention_mask = mask, .dropout = p, .dropout_seed = kSeed};
      const at::Tensor readout = associate(ours[0], ours[1], ours[2], options);
      const at::Tensor weights = plain_weights(theirs[0], theirs[1], numbers);
      const at::Tensor expected = at::matmul(weights * association_dropout(weights, p, kSeed), theirs[2]);
      EXPECT_LT(max_abs_difference(readout, expected), 1e-14);
      const at::Tensor d_readout = random_tensor({4, 5, 2}, 8);
      readout.backward(d_readout);
      expected.backward(d_readout);
      for (size_t i = 0; i < 3; ++i) {
        EXPECT_LT(max_abs_difference(ours[i].grad(), theirs[i].grad()), 1e-13)
            << i << ", batched inputs " << batched_inputs;
      }
      const auto in_half = [](const at::Tensor& input) { return input.detach().to(at::kBFloat16); };
      EXPECT_LT(max_abs_difference(associate(in_half(ours[0]), in_half(ours[1]), in_half(ours[2]), options),
                                   expected),
                0.2);
    }
  }
}

TEST(AssociateDropped, GradientsEqualFiniteDifferences) {
  expect_gradients_of(
      [&](const std::vector<at::Tensor>& in) {
        return associate(in[0], in[1], in[2], {.beta_tensor = in[3], .dropout = 0.4, .dropout_seed = 3})
            .square()
            .sum();
      },
      {random_tensor({2, 3, 4}, 1), random_tensor({2, 6, 4}, 2), random_tensor({2, 6, 2}, 3),
       random_tensor({1}, 4)});
}

TEST(AssociateDropped, HasTheMeanOfTheReadoutWithoutDropout) {
  const at::Tensor query = random_tensor({2, 3, 4}, 1), stored = random_tensor({2, 50, 4}, 2),
                   value = random_tensor({2, 50, 2}, 3);
  const at::Tensor expected = associate(query, stored, value);
  at::Tensor mean = at::zeros_like(expected), squares = at::zeros_like(expected);
  constexpr int kSeeds = 2000;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const at::Tensor deviation =
        associate(query, stored, value, {.dropout = 0.3, .dropout_seed = seed}) - expected;
    mean += deviation / kSeeds;
    squares += deviation.square() / kSeeds;
  }
  // None of the twelve means deviates by five standard errors.
  EXPECT_LT((mean.abs() / (squares / kSeeds).sqrt()).max().item<double>(), 5);
  EXPECT_GT(squares.min().item<double>(), 0);
}

TEST(AssociateDropped, WithAnyChunksDoesNotDependOnTheNumberOfThreads) {
  const int before = threads();
  for (const Shape n : {Shape{1, 5, 9001}, {1, 4100, 41}, {3, 300, 1003}}) {
    const AssociateOptions options{.beta = 1.0, .dropout = 0.5, .dropout_seed = 6};
    expect_independent_of_threads(n, options);
    const at::Tensor weights =
        plain_weights(random_tensor({n.batches, n.queries, 4}, 3), random_tensor({n.batches, n.stored, 4}, 4),
                      at::zeros({n.batches, n.queries, n.stored}, at::kDouble));
    const at::Tensor expected = at::matmul(weights * association_dropout(weights, 0.5, 6),
                                           random_tensor({n.batches, n.stored, 4}, 5));
    EXPECT_LT(max_abs_difference(readout_and_gradients(n, options, 2, at::kDouble)[0], expected), 1e-12);
  }
  set_threads(before);
}

TEST(AssociateDropped, RejectsAProbabilityOutsideOf0And1) {
  const at::Tensor any = at::zeros({1, 2, 3});
  for (const double p : {-0.1, 1.1, std::nan("")}) {
    expect_contains(usage_error_of([&] { associate(any, any, any, {.dropout = p}); }),
                    {"dropout is", "[0, 1]"});
  }
  expect_contains(usage_error_of([&] { association_dropout(any, 2, 1); }), {"p is 2", "[0, 1]"});
  expect_contains(usage_error_of([&] { association_dropout(at::zeros({3}), 0.5, 1); }),
                  {"1 dimensions", "queries, patterns"});
}

TEST(AssociateMasked, ChangeEqualsTheFormula) {
  for (const auto& [key_padding_mask, attention_mask] : all_masks()) {
    const at::Tensor before = random_tensor({4, 5, 3}, 5), after = before + 0.2 * random_tensor({4, 5, 3}, 6),
                     stored = random_tensor({4, 9, 3}, 7),
                     numbers = additive_mask(key_padding_mask, attention_mask, 4, 5, 9);
    const at::Tensor expected =
        (plain_weights(after, stored, numbers) - plain_weights(before, stored, numbers))
            .square()
            .sum(at::IntArrayRef{1, 2})
            .sqrt();
    EXPECT_LT(max_abs_difference(association_change(before, after, stored, key_padding_mask, attention_mask),
                                 expected),
              1e-12);
    const auto in_half = [](const at::Tensor& input) { return input.to(at::kBFloat16); };
    const bool is_additive = attention_mask.defined() && at::isFloatingType(attention_mask.scalar_type());
    EXPECT_LT(max_abs_difference(association_change(in_half(before), in_half(after), in_half(stored),
                                                    key_padding_mask,
                                                    is_additive ? in_half(attention_mask) : attention_mask),
                                 expected),
              0.1);
  }
}

TEST(AssociateMasked, ReportsWrongArguments) {
  const at::Tensor query = at::zeros({4, 5, 3}), stored = at::zeros({4, 9, 3});
  const auto error = [&](const at::Tensor& key_padding_mask, const at::Tensor& attention_mask) {
    return usage_error_of([&] {
      associate(query, stored, stored,
                {.key_padding_mask = key_padding_mask, .attention_mask = attention_mask});
    });
  };
  expect_contains(error(at::zeros({9}, at::kBool), {}),
                  {"key_padding_mask has 1 dimensions", "batch, patterns"});
  expect_contains(error(at::zeros({4, 9}), {}), {"key_padding_mask is of type Float", "bool or uint8"});
  expect_contains(error(at::zeros({4, 8}, at::kBool), {}),
                  {"key_padding_mask has 8 patterns", "stored has 9 patterns"});
  expect_contains(error(at::zeros({3, 9}, at::kBool), {}),
                  {"key_padding_mask has 3 batches", "the call has 4"});
  expect_contains(error({}, at::zeros({1, 1, 5, 9}, at::kBool)), {"attention_mask has 4 dimensions"});
  expect_contains(error({}, at::zeros({5, 9}, at::kDouble)),
                  {"attention_mask is of type Double", "query is of type Float"});
  expect_contains(error({}, at::zeros({9, 5})), {"attention_mask has 9 queries", "query has 5 queries"});
  expect_contains(error({}, at::zeros({5, 8})), {"attention_mask has 8 patterns", "stored has 9 patterns"});
  expect_contains(error({}, at::zeros({0, 5, 9})), {"attention_mask has 0 batches", "the call has 4"});
}

} // namespace
} // namespace mneme::ops
