// SPDX-License-Identifier: MIT

#include "mneme/ops/encode.h"

#include "mneme/core/parallel.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

at::Tensor plain(const at::Tensor& patterns, const at::Tensor& matrix) {
  const at::Tensor projected = at::matmul(patterns, matrix.t());
  return projected / projected.norm(2, {1}, true);
}

TEST(Encode, EqualsTheNormalisedProjection) {
  for (const int64_t rows : {0, 1, 5, 1024, 1100}) {
    for (const int64_t encoded : {1, 5, 64}) {
      const at::Tensor patterns = random_tensor({rows, 30}, 1), matrix = random_tensor({encoded, 30}, 2);
      EXPECT_EQ(encode(patterns, matrix).sizes(), at::IntArrayRef({rows, encoded}));
      if (rows > 0) {
        EXPECT_LT(max_abs_difference(encode(patterns, matrix), plain(patterns, matrix)), 1e-14);
        EXPECT_LT(max_abs_difference(encode(patterns.to(at::kFloat), matrix.to(at::kFloat)),
                                     plain(patterns, matrix)),
                  1e-5);
      }
    }
  }
}

TEST(Encode, ReadsBytesAsPixels) {
  const at::Tensor bytes = at::arange(1, 31).view({3, 10}).to(at::kByte), matrix = random_tensor({4, 10}, 1);
  EXPECT_LT(max_abs_difference(encode(bytes, matrix), plain(bytes.to(at::kDouble) / 255, matrix)), 1e-14);
}

TEST(Encode, GradientsEqualFiniteDifferences) {
  const at::Tensor d_encoded = random_tensor({6, 3}, 3);
  expect_gradients_of(
      [&](const std::vector<at::Tensor>& in) { return (encode(in[0], in[1]) * d_encoded).sum(); },
      {random_tensor({6, 5}, 1), random_tensor({3, 5}, 2)});
}

TEST(Encode, GradientsOfManyRowsEqualPlainAutogradOnAnyNumberOfThreads) {
  const at::Tensor patterns = random_tensor({2500, 12}, 1), d_encoded = random_tensor({2500, 7}, 3);
  at::Tensor reference = random_tensor({7, 12}, 2).requires_grad_();
  plain(patterns, reference).backward(d_encoded);
  const int before = threads();
  std::vector<at::Tensor> gradients;
  for (const int count : {1, 5}) {
    set_threads(count);
    at::Tensor matrix = random_tensor({7, 12}, 2).requires_grad_();
    encode(patterns, matrix).backward(d_encoded);
    EXPECT_LT(max_abs_difference(matrix.grad(), reference.grad()), 1e-12);
    gradients.push_back(matrix.grad());
  }
  set_threads(before);
  EXPECT_TRUE(gradients[0].equal(gradients[1]));
}

TEST(Encode, KeepsARowOfZerosAndItsGradientAtZero) {
  const at::Tensor patterns =
      at::cat({at::zeros({1, 4}, at::kDouble), random_tensor({1, 4}, 1)}).requires_grad_();
  const at::Tensor encoded = encode(patterns, random_tensor({3, 4}, 2));
  EXPECT_EQ(encoded[0].abs().max().item<double>(), 0);
  encoded.sum().backward();
  EXPECT_EQ(patterns.grad()[0].abs().max().item<double>(), 0);
  EXPECT_GT(patterns.grad()[1].abs().max().item<double>(), 0);
}

TEST(Encode, ReportsWrongArguments) {
  const auto error = [](const at::Tensor& patterns, const at::Tensor& matrix) {
    return usage_error_of([&] { encode(patterns, matrix); });
  };
  expect_contains(error(at::zeros({5, 4}), at::zeros({3, 6})),
                  {"mneme::ops::encode", "patterns has 4 features (shape [5, 4])", "matrix has 6 features"});
  expect_contains(error(at::zeros({5, 4, 4}), at::zeros({3, 4})), {"patterns has 3 dimensions", "Flatten"});
  expect_contains(error(at::zeros({5, 4}, at::kDouble), at::zeros({3, 4})),
                  {"patterns is of type Double", "matrix is of type Float"});
  expect_contains(error(at::zeros({5, 4}), at::zeros({3, 4}, at::kHalf)), {"matrix is of type Half"});
  expect_contains(error(at::zeros({5, 4}), at::zeros({0, 4})), {"matrix has 0 rows", "at least 1"});
  expect_contains(error(at::zeros({5, 4}, at::kMeta), at::zeros({3, 4})),
                  {"patterns is on meta", "matrix is on cpu"});
  expect_contains(error(at::Tensor(), at::zeros({3, 4})), {"patterns is an undefined tensor"});
  const at::Tensor matrix = random_tensor({3, 4}, 1).requires_grad_();
  expect_contains(
      usage_error_of([&] {
        torch::autograd::grad({encode(random_tensor({5, 4}, 2), matrix).sum()}, {matrix}, {}, true, true);
      }),
      {"second derivative", "create_graph"});
}

} // namespace
} // namespace mneme::ops
