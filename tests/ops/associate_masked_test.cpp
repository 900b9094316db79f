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

constexpr double kNotSeen = -std::numeric_limits<double>::infinity();

at::Tensor coins(at::IntArrayRef shape, uint64_t seed) {
  return at::rand(shape, at::make_generator<at::CPUGeneratorImpl>(seed)) < 0.35;
}

/// softmax in plain LibTorch, for a mask of numbers [B, Q, S].
at::Tensor plain_weights(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& mask) {
  const at::Tensor nothing = (mask == kNotSeen).all(-1, true);
  return at::softmax((at::matmul(query, stored.transpose(1, 2)) + mask).masked_fill(nothing, 0), -1)
      .masked_fill(nothing, 0);
}

/// missing [M, S] and mask as numbers for every pair of `batches`.
at::Tensor as_numbers(const at::Tensor& missing, const at::Tensor& mask, int64_t batches, int64_t queries,
                      int64_t stored) {
  at::Tensor numbers = at::zeros({batches, queries, stored}, at::kDouble);
  if (missing.defined()) {
    numbers = numbers.masked_fill(
        missing.to(at::kBool).repeat_interleave(batches / missing.size(0), 0).unsqueeze(1), kNotSeen);
  }
  if (mask.defined()) {
    const at::Tensor rows =
        mask.dim() == 2 ? mask.unsqueeze(0) : mask.repeat_interleave(batches / mask.size(0), 0);
    numbers = at::isFloatingType(mask.scalar_type()) ? numbers + rows
                                                     : numbers.masked_fill(rows.to(at::kBool), kNotSeen);
  }
  return numbers;
}

/// Masks of 4 batches, 5 queries and 9 patterns, some rows of which see nothing.
struct Masks {
  at::Tensor missing, mask;
};
std::vector<Masks> all_masks() {
  const at::Tensor missing = coins({2, 9}, 1), hidden = coins({4, 5, 9}, 2),
                   added = random_tensor({4, 5, 9}, 3).masked_fill(coins({4, 5, 9}, 4), kNotSeen);
  missing[1] = true;
  hidden[2][3] = true;
  added[1][0] = kNotSeen;
  return {{missing, {}},
          {missing[0].unsqueeze(0).to(at::kByte), {}},
          {{}, hidden},
          {{}, 3 * hidden[0].to(at::kByte)},
          {{}, added},
          {{}, added[1]},
          {missing, hidden},
          {missing, added.slice(0, 0, 2)},
          {missing.t().contiguous().t(), added.transpose(1, 2).contiguous().transpose(1, 2)},
          {{}, added[0].unsqueeze(0).expand({4, 5, 9})}};
}

TEST(AssociateMasked, EqualsPlainAutograd) {
  for (const auto& [missing, mask] : all_masks()) {
    for (int kept_whole = 0; kept_whole < 8; ++kept_whole) {
      const auto batches = [&](int side) { return int64_t{(kept_whole >> side & 1) != 0 ? 4 : 1}; };
      if (kept_whole == 0) { // no input says how many batches there are
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
          associate(ours[0], ours[1], ours[2], {.beta = 1.0, .missing = missing, .mask = mask});
      const at::Tensor expected =
          at::matmul(plain_weights(theirs[0], theirs[1], as_numbers(missing, mask, 4, 5, 9)), theirs[2]);
      EXPECT_LT(largest_difference(readout, expected), 1e-14);
      const at::Tensor counts = random_tensor({4, 5, 2}, 8);
      readout.backward(counts);
      expected.backward(counts);
      for (size_t i = 0; i < 3; ++i) {
        EXPECT_LT(largest_difference(ours[i].grad(), theirs[i].grad()), 1e-13)
            << "input " << i << ", kept whole " << kept_whole;
      }
      const auto in_half = [](const at::Tensor& input) { return input.detach().to(at::kBFloat16); };
      const bool numbers = mask.defined() && at::isFloatingType(mask.scalar_type());
      EXPECT_LT(largest_difference(
                    associate(in_half(ours[0]), in_half(ours[1]), in_half(ours[2]),
                              {.beta = 1.0, .missing = missing, .mask = numbers ? in_half(mask) : mask}),
                    expected),
                0.2);
    }
  }
}

TEST(AssociateMasked, GradientsAreThoseOfFiniteDifferencesAlsoInAMaskOfNumbers) {
  at::Tensor missing = at::zeros({1, 6}, at::kBool);
  missing[0][4] = true;
  expect_gradients_of(
      [&](const std::vector<at::Tensor>& in) {
        return associate(in[0], in[1], in[2], {.beta_tensor = in[3], .missing = missing, .mask = in[4]})
            .square()
            .sum();
      },
      {random_tensor({2, 3, 4}, 1), random_tensor({2, 6, 4}, 2), random_tensor({2, 6, 2}, 3),
       random_tensor({1}, 4), random_tensor({3, 6}, 5)});
}

struct Shape {
  int64_t batches, queries, stored;
};

/// The readout of random tensors on so many threads, and the gradients of query, stored and value.
std::vector<at::Tensor> answers(const Shape& n, const AssociateOptions& options, int on,
                                at::ScalarType type) {
  set_threads(on);
  std::vector<at::Tensor> in;
  for (const uint64_t seed : {3, 4, 5}) {
    in.push_back(
        random_tensor({n.batches, seed == 3 ? n.queries : n.stored, 4}, seed, type).requires_grad_());
  }
  const at::Tensor readout = associate(in[0], in[1], in[2], options);
  readout.backward(random_tensor(readout.sizes(), 6, type));
  return {readout.detach(), in[0].grad(), in[1].grad(), in[2].grad()};
}

void expect_same_on_any_threads(const Shape& n, const AssociateOptions& options) {
  const std::vector<at::Tensor> alone = answers(n, options, 1, at::kFloat),
                                together = answers(n, options, 5, at::kFloat);
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_TRUE(alone[i].equal(together[i])) << i;
  }
}

TEST(AssociateMasked, OfAnyCutEqualsPlainAndDoesNotDependOnTheNumberOfThreads) {
  const int before = threads();
  for (const Shape n : {Shape{1, 5, 9000}, {1, 4100, 40}, {2, 300, 5000}}) {
    const at::Tensor missing = coins({n.batches, n.stored}, 1), hidden = coins({n.queries, n.stored}, 2);
    const AssociateOptions options{.beta = 1.0, .missing = missing, .mask = hidden};
    expect_same_on_any_threads(n, options);
    const at::Tensor query = random_tensor({n.batches, n.queries, 4}, 3),
                     stored = random_tensor({n.batches, n.stored, 4}, 4);
    const at::Tensor expected =
        at::matmul(plain_weights(query, stored, as_numbers(missing, hidden, n.batches, n.queries, n.stored)),
                   random_tensor({n.batches, n.stored, 4}, 5));
    EXPECT_LT(largest_difference(answers(n, options, 2, at::kDouble)[0], expected), 1e-12);
  }
  set_threads(before);
}

TEST(AssociateMasked, KeepsNothingOfQueriesTimesPatterns) {
  constexpr int64_t kLength = 2048;
  const at::Tensor causal = at::ones({kLength, kLength}, at::kBool).triu(1);
  at::Tensor missing = at::zeros({2, kLength}, at::kBool);
  missing.slice(1, 1900) = true;
  std::vector<at::Tensor> in;
  for (const uint64_t seed : {1, 2, 3}) {
    in.push_back(random_tensor({4, kLength, 8}, seed, at::kFloat).requires_grad_());
  }
  const AllocatedBytes allocated;
  associate(in[0], in[1], in[2], {.missing = missing, .mask = causal, .dropout = 0.1, .dropout_seed = 1})
      .sum()
      .backward();
  EXPECT_GT(allocated.most_at_once(), 0);
  // Readout, gradients, and at most 16 copies of a gradient to add up: far below one association of floats.
  EXPECT_LT(allocated.most_at_once(), 4 * kLength * kLength * 4 / 2);
}

TEST(AssociateDropped, EqualsPlainAutogradForTheSameSeed) {
  constexpr int64_t kSeed = 0x7123456789ABCDEF;
  for (int kept_whole = 1; kept_whole < 8; ++kept_whole) {
    const auto batches = [&](int side) { return int64_t{(kept_whole >> side & 1) != 0 ? 4 : 1}; };
    const std::vector<at::Tensor> inputs{random_tensor({batches(0), 5, 3}, 5),
                                         random_tensor({batches(1), 9, 3}, 6),
                                         random_tensor({batches(2), 9, 2}, 7)};
    for (const double share : {0.0, 0.3, 1.0}) {
      std::vector<at::Tensor> ours, theirs;
      for (const at::Tensor& input : inputs) {
        ours.push_back(input.clone().requires_grad_());
        theirs.push_back(input.clone().requires_grad_());
      }
      const at::Tensor mask = coins({5, 9}, 2), numbers = as_numbers({}, mask, 4, 5, 9);
      const AssociateOptions options{.beta = 1.0, .mask = mask, .dropout = share, .dropout_seed = kSeed};
      const at::Tensor readout = associate(ours[0], ours[1], ours[2], options);
      const at::Tensor weights = plain_weights(theirs[0], theirs[1], numbers);
      const at::Tensor expected = at::matmul(weights * association_dropout(weights, share, kSeed), theirs[2]);
      EXPECT_LT(largest_difference(readout, expected), 1e-14);
      const at::Tensor counts = random_tensor({4, 5, 2}, 8);
      readout.backward(counts);
      expected.backward(counts);
      for (size_t i = 0; i < 3; ++i) {
        EXPECT_LT(largest_difference(ours[i].grad(), theirs[i].grad()), 1e-13)
            << i << ", kept whole " << kept_whole;
      }
      const auto in_half = [](const at::Tensor& input) { return input.detach().to(at::kBFloat16); };
      EXPECT_LT(largest_difference(associate(in_half(ours[0]), in_half(ours[1]), in_half(ours[2]), options),
                                   expected),
                0.2);
    }
  }
}

TEST(AssociateDropped, GradientsAreThoseOfFiniteDifferences) {
  expect_gradients_of(
      [&](const std::vector<at::Tensor>& in) {
        return associate(in[0], in[1], in[2], {.beta_tensor = in[3], .dropout = 0.4, .dropout_seed = 3})
            .square()
            .sum();
      },
      {random_tensor({2, 3, 4}, 1), random_tensor({2, 6, 4}, 2), random_tensor({2, 6, 2}, 3),
       random_tensor({1}, 4)});
}

TEST(AssociateDropped, IsOnTheMeanOverSeedsWhatIsNotDropped) {
  const at::Tensor query = random_tensor({2, 3, 4}, 1), stored = random_tensor({2, 50, 4}, 2),
                   value = random_tensor({2, 50, 2}, 3);
  const at::Tensor whole = associate(query, stored, value);
  at::Tensor mean = at::zeros_like(whole), squares = at::zeros_like(whole);
  constexpr int kSeeds = 2000;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const at::Tensor moved = associate(query, stored, value, {.dropout = 0.3, .dropout_seed = seed}) - whole;
    mean += moved / kSeeds;
    squares += moved.square() / kSeeds;
  }
  // Twelve means, none of them beyond five of its own deviations.
  EXPECT_LT((mean.abs() / (squares / kSeeds).sqrt()).max().item<double>(), 5);
  EXPECT_GT(squares.min().item<double>(), 0);
}

TEST(AssociateDropped, OfAnyCutDoesNotDependOnTheNumberOfThreads) {
  const int before = threads();
  for (const Shape n : {Shape{1, 5, 9001}, {1, 4100, 41}, {3, 300, 1003}}) {
    const AssociateOptions options{.beta = 1.0, .dropout = 0.5, .dropout_seed = 6};
    expect_same_on_any_threads(n, options);
    const at::Tensor weights =
        plain_weights(random_tensor({n.batches, n.queries, 4}, 3), random_tensor({n.batches, n.stored, 4}, 4),
                      at::zeros({n.batches, n.queries, n.stored}, at::kDouble));
    const at::Tensor expected = at::matmul(weights * association_dropout(weights, 0.5, 6),
                                           random_tensor({n.batches, n.stored, 4}, 5));
    EXPECT_LT(largest_difference(answers(n, options, 2, at::kDouble)[0], expected), 1e-12);
  }
  set_threads(before);
}

TEST(AssociateDropped, RefusesWhatIsNoShare) {
  const at::Tensor any = at::zeros({1, 2, 3});
  for (const double share : {-0.1, 1.1, std::nan("")}) {
    expect_contains(usage_error_of([&] { associate(any, any, any, {.dropout = share}); }),
                    {"dropout is", "[0, 1]"});
  }
  expect_contains(usage_error_of([&] { association_dropout(any, 2, 1); }), {"share is 2", "[0, 1]"});
  expect_contains(usage_error_of([&] { association_dropout(at::zeros({3}), 0.5, 1); }),
                  {"1 dimensions", "queries, patterns"});
}

TEST(AssociateMasked, ChangeEqualsTheFormula) {
  for (const auto& [missing, mask] : all_masks()) {
    const at::Tensor before = random_tensor({4, 5, 3}, 5), after = before + 0.2 * random_tensor({4, 5, 3}, 6),
                     stored = random_tensor({4, 9, 3}, 7), numbers = as_numbers(missing, mask, 4, 5, 9);
    const at::Tensor expected =
        (plain_weights(after, stored, numbers) - plain_weights(before, stored, numbers))
            .square()
            .sum(at::IntArrayRef{1, 2})
            .sqrt();
    EXPECT_LT(largest_difference(association_change(before, after, stored, missing, mask), expected), 1e-12);
    const auto in_half = [](const at::Tensor& input) { return input.to(at::kBFloat16); };
    const bool is_numbers = mask.defined() && at::isFloatingType(mask.scalar_type());
    EXPECT_LT(largest_difference(association_change(in_half(before), in_half(after), in_half(stored), missing,
                                                    is_numbers ? in_half(mask) : mask),
                                 expected),
              0.1);
  }
}

TEST(AssociateMasked, NamesWhatDoesNotFit) {
  const at::Tensor query = at::zeros({4, 5, 3}), stored = at::zeros({4, 9, 3});
  const auto error = [&](const at::Tensor& missing, const at::Tensor& mask) {
    return usage_error_of([&] { associate(query, stored, stored, {.missing = missing, .mask = mask}); });
  };
  expect_contains(error(at::zeros({9}, at::kBool), {}), {"missing has 1 dimensions", "batch, patterns"});
  expect_contains(error(at::zeros({4, 9}), {}), {"missing is of type Float", "bool or uint8"});
  expect_contains(error(at::zeros({4, 8}, at::kBool), {}),
                  {"missing has 8 patterns", "stored has 9 patterns"});
  expect_contains(error(at::zeros({3, 9}, at::kBool), {}), {"missing has 3 batches", "the call has 4"});
  expect_contains(error({}, at::zeros({1, 1, 5, 9}, at::kBool)), {"mask has 4 dimensions"});
  expect_contains(error({}, at::zeros({5, 9}, at::kDouble)),
                  {"mask is of type Double", "query is of type Float"});
  expect_contains(error({}, at::zeros({9, 5})), {"mask has 9 queries", "query has 5 queries"});
  expect_contains(error({}, at::zeros({5, 8})), {"mask has 8 patterns", "stored has 9 patterns"});
  expect_contains(error({}, at::zeros({0, 5, 9})), {"mask has 0 batches", "the call has 4"});
}

} // namespace
} // namespace mneme::ops
