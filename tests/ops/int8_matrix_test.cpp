// SPDX-License-Identifier: MIT

#include "mneme/ops/int8_matrix.h"

#include <limits>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/ops/linear.h"
#include "mneme/ops/linear_cross_entropy.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

/// All rows of an int8 matrix as float32.
at::Tensor numbers_of(const at::Tensor& matrix) {
  return int8_matrix_rows(matrix, at::arange(matrix.size(0), at::kLong));
}

at::Tensor random_floats(at::IntArrayRef shape, uint64_t seed) {
  return random_tensor(shape, seed, at::kFloat);
}

TEST(Int8Matrix, ErrsByAtMostHalfOfTheScaleOfItsRow) {
  const at::Tensor weight = random_floats({300, 70}, 1) * random_floats({300, 1}, 2);
  for (const at::Tensor& given : {weight, weight.t().contiguous().t()}) { // any strides
    const at::Tensor matrix = to_int8_matrix(given);
    EXPECT_TRUE(is_int8_matrix(matrix));
    EXPECT_EQ(matrix.sizes(), at::IntArrayRef({300, 74}));
    const at::Tensor scale = weight.abs().amax(1, true) / 127;
    EXPECT_TRUE(((numbers_of(matrix) - weight).abs() <= 0.5001 * scale).all().item<bool>());
  }
  EXPECT_FALSE(is_int8_matrix(weight));
}

TEST(Int8Matrix, RepresentsZerosTheLargestNumbersAndEmptyRows) {
  at::Tensor weight = at::zeros({3, 2});
  weight[1][0] = -127;
  weight[1][1] = 3;
  weight[2][0] = 1e-35;
  at::Tensor expected = weight.clone();
  expected[2][0] = 0; // too small
  EXPECT_TRUE(numbers_of(to_int8_matrix(weight)).equal(expected));
  EXPECT_EQ(to_int8_matrix(at::empty({0, 5})).sizes(), at::IntArrayRef({0, 9}));
  EXPECT_EQ(numbers_of(to_int8_matrix(at::empty({5, 0}))).sizes(), at::IntArrayRef({5, 0}));
}

TEST(Int8Matrix, RowsHaveTheShapeOfTheIds) {
  const at::Tensor matrix = to_int8_matrix(random_floats({20, 6}, 3)),
                   ids = at::randint(0, 20, {2, 3, 4}, at::kLong);
  const at::Tensor rows = int8_matrix_rows(matrix, ids);
  EXPECT_EQ(rows.sizes(), at::IntArrayRef({2, 3, 4, 6}));
  EXPECT_TRUE(rows[1][2][3].equal(numbers_of(matrix)[ids[1][2][3].item<int64_t>()]));
}

TEST(Int8LinearOp, EqualsTheProductWithItsNumbers) {
  for (const std::vector<int64_t>& shape :
       std::vector<std::vector<int64_t>>{{70}, {1, 70}, {2, 3, 70}, {0, 70}, {40, 1300}, {3, 0}}) {
    const at::Tensor x = random_floats(shape, 4),
                     matrix = to_int8_matrix(random_floats({90, shape.back()}, 5)),
                     bias = random_floats({90}, 6), numbers = numbers_of(matrix);
    for (const at::Tensor& with_bias : {at::Tensor(), bias}) {
      const at::Tensor expected = ops::linear(x, numbers, with_bias),
                       actual = ops::linear(x, matrix, with_bias);
      ASSERT_EQ(actual.sizes(), expected.sizes());
      if (expected.numel() == 0) {
        continue;
      }
      // 15 bits of x: an error of at most max |x| / 2^15 times the sum of the absolute weights.
      const double tolerance =
          x.numel() == 0
              ? 0
              : x.abs().max().item<double>() / 32766 * numbers.abs().sum(1).max().item<double>() + 1e-5;
      EXPECT_LE(max_abs_difference(actual, expected), tolerance);
      for (const GeluForm form : {GeluForm::exact, GeluForm::tanh}) {
        EXPECT_LE(max_abs_difference(linear_gelu(x, matrix, with_bias, form),
                                     linear_gelu(x, numbers, with_bias, form)),
                  1.2 * tolerance + 1e-6);
      }
    }
  }
}

TEST(Int8LinearOp, ReadsAnyStridesOfX) {
  const at::Tensor x = random_floats({70, 5}, 7), matrix = to_int8_matrix(random_floats({9, 70}, 8));
  EXPECT_TRUE(ops::linear(x.t(), matrix).equal(ops::linear(x.t().contiguous(), matrix)));
  const at::Tensor wide = random_floats({5, 80}, 9);
  EXPECT_TRUE(ops::linear(wide.narrow(1, 3, 70), matrix)
                  .equal(ops::linear(wide.narrow(1, 3, 70).contiguous(), matrix)));
}

TEST(Int8LinearOp, RowsDoNotDependOnOtherRowsOrThreads) {
  const int before = threads();
  const at::Tensor x = random_floats({130, 700}, 10), bias = random_floats({1600}, 11),
                   matrix = to_int8_matrix(random_floats({1600, 700}, 12)),
                   all = linear_gelu(x, matrix, bias);
  for (const int count : {1, 3}) {
    set_threads(count);
    EXPECT_TRUE(linear_gelu(x, matrix, bias).equal(all));
    EXPECT_TRUE(linear_gelu(x.slice(0, 7, 8), matrix, bias).equal(all.slice(0, 7, 8)));
  }
  set_threads(before);
}

TEST(Int8LinearOp, CrossEntropyIsThatOfItsLogits) {
  const at::Tensor hidden = random_floats({50, 30}, 13), bias = random_floats({40}, 14),
                   matrix = to_int8_matrix(random_floats({40, 30}, 15));
  at::Tensor targets = at::randint(0, 40, {50}, at::kLong);
  targets[3] = kIgnoredTarget;
  const at::NoGradGuard no_gradient;
  for (const at::Tensor& with_bias : {at::Tensor(), bias}) {
    const CrossEntropySum sum = linear_cross_entropy(hidden, matrix, with_bias, targets);
    const at::Tensor logits = ops::linear(hidden, matrix, with_bias).to(at::kDouble);
    const double expected =
        at::cross_entropy_loss(logits, targets, {}, at::Reduction::Sum, kIgnoredTarget).item<double>();
    EXPECT_EQ(sum.count, 49);
    EXPECT_NEAR(sum.sum.item<double>(), expected, 1e-5 * expected);
  }
}

TEST(Int8LinearOp, PropagatesNan) {
  at::Tensor x = random_floats({2, 8}, 16);
  x[1][3] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor output = ops::linear(x, to_int8_matrix(random_floats({5, 8}, 17)));
  EXPECT_TRUE(output[0].isfinite().all().item<bool>());
  EXPECT_TRUE(output[1].isnan().all().item<bool>());
}

TEST(Int8LinearOp, ErrorsNameBothSides) {
  const at::Tensor x = random_floats({2, 8}, 18), matrix = to_int8_matrix(random_floats({5, 8}, 19));
  const auto expect = [](const auto& call, const std::string& part) {
    try {
      call();
      ADD_FAILURE() << "no error, expected: " << part;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  expect([&] { ops::linear(x.narrow(1, 0, 7), matrix); }, "8 features");
  expect([&] { ops::linear(x.narrow(1, 0, 7), matrix); }, "7 features");
  expect([&] { ops::linear(x.to(at::kDouble), matrix); }, "Double");
  expect([&] { ops::linear(x, matrix, at::zeros({4})); }, "4 outputs");
  expect([&] { ops::linear(x, matrix.t()); }, "8 features");
  expect([&] { ops::linear(x, to_int8_matrix(random_floats({5, 9}, 1)).narrow(1, 0, 12)); }, "strides");
  expect([&] { ops::linear(x.clone().requires_grad_(), matrix); }, "gradient");
  expect([&] { linear_cross_entropy(x.clone().requires_grad_(), matrix, {}, at::zeros({2}, at::kLong)); },
         "gradient");
  expect([&] { to_int8_matrix(x.to(at::kDouble)); }, "Double");
  expect([&] { to_int8_matrix(x[0]); }, "dimensions");
  expect([&] { to_int8_matrix(x / 0); }, "not finite");
  expect([&] { int8_matrix_rows(x, at::zeros({1}, at::kLong)); }, "Float");
}

} // namespace
} // namespace mneme::ops
