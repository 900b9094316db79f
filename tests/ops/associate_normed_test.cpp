// SPDX-License-Identifier: MIT

#include "mneme/ops/associate_normed.h"

#include "mneme/core/parallel.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

constexpr double kEpsilon = 1e-5;

/// Reference in plain LibTorch.
at::Tensor plain(const at::Tensor& query, const at::Tensor& rows) {
  const at::Tensor y = at::layer_norm(rows, {rows.size(2)}, {}, {}, kEpsilon);
  return at::matmul(at::softmax(at::matmul(query, y.transpose(1, 2)), -1), y);
}

struct Gradients {
  at::Tensor readout, query, rows;
};
template <class Function>
Gradients gradients_of(Function function, const at::Tensor& query, const at::Tensor& rows) {
  const at::Tensor q = query.clone().requires_grad_(), r = rows.clone().requires_grad_();
  const at::Tensor readout = function(q, r);
  (readout * random_tensor(readout.sizes(), 5).to(readout.scalar_type())).sum().backward();
  return {readout.detach(), q.grad(), r.grad()};
}
Gradients ours(const at::Tensor& query, const at::Tensor& rows) {
  return gradients_of(
      [](const at::Tensor& q, const at::Tensor& r) { return associate_normed(q, r, kEpsilon); }, query, rows);
}

TEST(AssociateNormed, EqualsPlainLibTorchAndItsAutograd) {
  for (const auto& [batch, of_query, queries, rows, features] :
       {std::array<int64_t, 5>{1, 1, 1, 1, 4}, {2, 1, 3, 9, 5}, {3, 3, 2, 40, 17}, {2, 1, 1, 9000, 8}}) {
    const at::Tensor query = random_tensor({of_query, queries, features}, 1);
    const at::Tensor bag = random_tensor({batch, rows, features}, 2);
    const Gradients exact = gradients_of(plain, query, bag);
    for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
      const double tolerance = type == at::kDouble ? 1e-12 : 2e-5;
      const Gradients found = ours(query.to(type), bag.to(type));
      EXPECT_LT(max_abs_difference(found.readout, exact.readout), tolerance) << rows << " rows";
      EXPECT_LT(max_abs_difference(found.query, exact.query), tolerance) << rows << " rows";
      EXPECT_LT(max_abs_difference(found.rows, exact.rows), tolerance) << rows << " rows";
    }
  }
}

TEST(AssociateNormed, GradientsEqualFiniteDifferences) {
  const at::Tensor d_readout = random_tensor({2, 2, 4}, 4);
  expect_gradients_of(
      [&](const std::vector<at::Tensor>& in) {
        return (associate_normed(in[0], in[1], 1e-3) * d_readout).sum();
      },
      {random_tensor({1, 2, 4}, 1), random_tensor({2, 6, 4}, 2)});
}

TEST(AssociateNormed, IgnoresRowsOfTheKeyPaddingMask) {
  const at::Tensor query = random_tensor({1, 3, 5}, 1), bag = random_tensor({3, 9000, 5}, 2);
  at::Tensor key_padding_mask = random_tensor({3, 9000}, 3) > 0;
  key_padding_mask[1].fill_(false);
  key_padding_mask[1].slice(0, 5000).fill_(true);
  key_padding_mask[2].fill_(true);
  const auto masked = [&](const at::Tensor& q, const at::Tensor& r) {
    return associate_normed(q, r, kEpsilon, key_padding_mask);
  };
  const auto without_ignored = [&](const at::Tensor& q, const at::Tensor& r) {
    std::vector<at::Tensor> readouts;
    for (int64_t b = 0; b < 3; ++b) {
      const at::Tensor kept = r[b].index({key_padding_mask[b].logical_not()}).unsqueeze(0);
      readouts.push_back(b < 2 ? plain(q, kept) : 0 * q); // the readout of an empty bag is 0
    }
    return at::cat(readouts);
  };
  const Gradients ours = gradients_of(masked, query, bag),
                  expected = gradients_of(without_ignored, query, bag);
  EXPECT_LT(max_abs_difference(ours.readout, expected.readout), 1e-12);
  EXPECT_LT(max_abs_difference(ours.query, expected.query), 1e-12);
  EXPECT_LT(max_abs_difference(ours.rows, expected.rows), 1e-12);
  EXPECT_EQ(ours.rows.index({key_padding_mask}).abs().max().item<double>(), 0);
  constexpr double kBfloat16 = 0.05;
  EXPECT_LT(max_abs_difference(masked(query.to(at::kBFloat16), bag.to(at::kBFloat16)), expected.readout),
            kBfloat16);
  expect_contains(
      usage_error_of([&] { associate_normed(query, bag, kEpsilon, key_padding_mask.narrow(0, 0, 2)); }),
      {"key_padding_mask", "[2, 9000]", "[3, 9000]"});
  expect_contains(usage_error_of([&] {
                    associate_normed(query, bag, kEpsilon, at::zeros({3, 9000}));
                  }),
                  {"Float", "Bool"});
}

TEST(AssociateNormed, KeepsItsPrecisionOverAMillionRows) {
  constexpr double kFloat = 2e-7; // for readouts up to 1, whatever the number of rows
  const at::Tensor query = random_tensor({1, 1, 8}, 1) * 0.3, bag = random_tensor({1, 1'000'000, 8}, 2);
  const at::NoGradGuard no_gradient;
  EXPECT_LT(max_abs_difference(associate_normed(query.to(at::kFloat), bag.to(at::kFloat), kEpsilon),
                               plain(query, bag.to(at::kFloat).to(at::kDouble))),
            kFloat);
}

TEST(AssociateNormed, DoesNotDependOnTheNumberOfThreads) {
  const at::Tensor query = random_tensor({1, 2, 6}, 1, at::kFloat),
                   bag = random_tensor({2, 10'000, 6}, 2, at::kFloat);
  const int before = threads();
  set_threads(1);
  const Gradients one = ours(query, bag);
  set_threads(3);
  const Gradients three = ours(query, bag);
  set_threads(before);
  EXPECT_TRUE(at::equal(one.readout, three.readout));
  EXPECT_TRUE(at::equal(one.query, three.query));
  EXPECT_TRUE(at::equal(one.rows, three.rows));
}

TEST(AssociateNormed, AcceptsEmptyBagsOtherTypesAndStridedRows) {
  const at::Tensor query = random_tensor({1, 2, 4}, 1);
  const Gradients empty = ours(query, at::zeros({3, 0, 4}, at::kDouble));
  EXPECT_EQ(empty.readout.abs().sum().item<double>(), 0);
  EXPECT_EQ(empty.query.abs().sum().item<double>(), 0);
  const at::Tensor strided = random_tensor({1, 4, 30}, 2).transpose(1, 2);
  EXPECT_LT(max_abs_difference(associate_normed(query, strided, kEpsilon), plain(query, strided)), 1e-12);
  constexpr double kBfloat16 = 0.05;
  EXPECT_LT(max_abs_difference(associate_normed(query.to(at::kBFloat16), strided.to(at::kBFloat16), kEpsilon),
                               plain(query, strided)),
            kBfloat16);
}

TEST(AssociateNormed, ReportsWrongArguments) {
  const at::Tensor query = random_tensor({1, 2, 4}, 1), rows = random_tensor({3, 5, 4}, 2);
  const auto error = [](const at::Tensor& q, const at::Tensor& r, double epsilon = kEpsilon) {
    return usage_error_of([&] { associate_normed(q, r, epsilon); });
  };
  expect_contains(error(query[0], rows), {"query has 2 dimensions (shape [2, 4])", "unsqueeze(0)"});
  expect_contains(error(query, rows.to(at::kFloat)), {"Float", "Double"});
  expect_contains(error(query.narrow(2, 0, 3), rows), {"3 features", "4 features"});
  expect_contains(error(query.expand({2, 2, 4}), rows), {"2 batches", "3 batches"});
  expect_contains(error(query, rows, 0), {"epsilon is 0", "> 0"});
  expect_contains(error(query.narrow(2, 0, 0), rows.narrow(2, 0, 0)), {"0 features"});
  const at::Tensor leaf = query.clone().requires_grad_();
  const at::Tensor sum = associate_normed(leaf, rows, kEpsilon).sum();
  expect_contains(usage_error_of([&] { torch::autograd::grad({sum}, {leaf}, {}, true, true); }),
                  {"second derivative"});
}

} // namespace
} // namespace mneme::ops
