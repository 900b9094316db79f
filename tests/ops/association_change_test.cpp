// SPDX-License-Identifier: MIT

#include "mneme/ops/association_change.h"

#include "mneme/core/parallel.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

at::Tensor plain(const at::Tensor& before, const at::Tensor& after, const at::Tensor& stored) {
  const auto weights = [&](const at::Tensor& states) {
    return at::softmax(at::matmul(states.to(at::kDouble), stored.to(at::kDouble).transpose(1, 2)), -1);
  };
  return (weights(after) - weights(before)).square().sum(at::IntArrayRef{1, 2}).sqrt();
}

struct Shape {
  int64_t batches, states, stored, features;
};

TEST(AssociationChange, EqualsTheFormulaOnAnyShape) {
  for (const Shape n : {Shape{1, 1, 1, 1}, {3, 70, 33, 5}, {2, 0, 7, 4}, {0, 3, 7, 4}, {1, 2, 20'000, 3}}) {
    const at::Tensor before = random_tensor({n.batches, n.states, n.features}, 1),
                     after = before + 0.1 * random_tensor(before.sizes(), 2),
                     stored = random_tensor({n.batches, n.stored, n.features}, 3);
    const auto changes = [&](at::ScalarType type) {
      return association_change(before.to(type), after.to(type), stored.to(type));
    };
    if (n.batches > 0) {
      EXPECT_LT(max_abs_difference(changes(at::kDouble), plain(before, after, stored)), 1e-12);
      EXPECT_LT(max_abs_difference(changes(at::kFloat), plain(before, after, stored)), 1e-5);
      EXPECT_LT(max_abs_difference(changes(at::kBFloat16), plain(before, after, stored)), 0.1);
    }
    EXPECT_EQ(changes(at::kDouble).sizes(), at::IntArrayRef{n.batches});
  }
}

TEST(AssociationChange, AcceptsStridedStates) {
  const at::Tensor before = random_tensor({4, 5, 2}, 1).transpose(0, 2), after = 2 * before,
                   stored = random_tensor({4, 9, 2}, 3).transpose(0, 2);
  EXPECT_LT(max_abs_difference(association_change(before, after, stored), plain(before, after, stored)),
            1e-12);
}

TEST(AssociationChange, DoesNotDependOnTheNumberOfThreads) {
  const at::Tensor before = random_tensor({1, 300, 6}, 1, at::kFloat), after = 1.5 * before,
                   stored = random_tensor({1, 9000, 6}, 3, at::kFloat);
  const int threads_before = threads();
  set_threads(1);
  const at::Tensor single = association_change(before, after, stored);
  set_threads(3);
  EXPECT_TRUE(at::equal(association_change(before, after, stored), single));
  set_threads(threads_before);
}

TEST(AssociationChange, ConfinesANaNToItsBatch) {
  at::Tensor before = random_tensor({2, 3, 4}, 1);
  const at::Tensor after = random_tensor({2, 3, 4}, 2), stored = random_tensor({2, 5, 4}, 3);
  before[1][2][0] = NAN;
  const at::Tensor changes = association_change(before, after, stored);
  EXPECT_TRUE(std::isfinite(changes[0].item<double>()));
  EXPECT_TRUE(std::isnan(changes[1].item<double>()));
}

TEST(AssociationChange, ReportsWrongArguments) {
  const auto error_of = [](at::IntArrayRef before, at::IntArrayRef after, at::IntArrayRef stored) {
    return usage_error_of(
        [&] { association_change(at::zeros(before), at::zeros(after), at::zeros(stored)); });
  };
  expect_contains(error_of({1, 2, 3}, {1, 2, 3}, {1, 2, 4}),
                  {"association_change", "3 features", "4 features"});
  expect_contains(error_of({1, 2, 3}, {1, 5, 3}, {1, 2, 3}), {"2 states", "5 states"});
  expect_contains(error_of({2, 2, 3}, {2, 2, 3}, {1, 2, 3}), {"2 batches", "1 batches"});
  expect_contains(error_of({1, 2, 3}, {1, 2, 3}, {1, 0, 3}), {"0 patterns"});
  expect_contains(usage_error_of([] { association_change({}, {}, {}); }), {"before"});
}

} // namespace
} // namespace mneme::ops
