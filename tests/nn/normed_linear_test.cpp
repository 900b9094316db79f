// SPDX-License-Identifier: MIT

#include "nn/normed_linear.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "ops/tensors.h"

namespace mneme::nn {
namespace {

using ops::max_abs_difference;
using ops::random_tensor;

constexpr double kEpsilon = 1e-3;

at::Tensor plain(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& shift, double epsilon,
                 const at::Tensor& weight, const at::Tensor& bias) {
  return at::linear(at::layer_norm(x, {x.size(-1)}, gain, shift, epsilon), weight, bias);
}

/// Output, and its first and second derivatives with respect to all defined inputs.
template <class Function>
std::vector<at::Tensor> derivatives_of(Function function, const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> leaves, defined;
  for (const at::Tensor& input : inputs) {
    leaves.push_back(input.defined() ? input.detach().requires_grad_() : at::Tensor());
    if (input.defined()) {
      defined.push_back(leaves.back());
    }
  }
  const at::Tensor output = function(leaves[0], leaves[1], leaves[2], kEpsilon, leaves[3], leaves[4]);
  const auto weights = random_tensor(output.sizes(), 9, output.scalar_type());
  std::vector<at::Tensor> results = {output};
  const auto first = torch::autograd::grad({(output * output * weights).sum()}, defined, {}, true, true);
  at::Tensor sum = at::zeros({}, output.options());
  for (const at::Tensor& gradient : first) {
    results.push_back(gradient);
    sum = sum + (gradient * gradient).sum();
  }
  for (const at::Tensor& gradient : torch::autograd::grad({sum}, defined)) {
    results.push_back(gradient);
  }
  return results;
}

TEST(NormedLinear, EqualsLayerNormAndLinearAndSupportsDoubleBackward) {
  const at::Tensor x = random_tensor({3, 4, 6}, 1) * 2 + 1, gain = random_tensor({6}, 2),
                   shift = random_tensor({6}, 3), weight = random_tensor({5, 6}, 4),
                   bias = random_tensor({5}, 5), none;
  const at::Tensor many = random_tensor({3, 15'000, 6}, 6); // the norm is recomputed in backward
  for (const at::Tensor& input : {x, x.transpose(0, 1), many, many.transpose(0, 1)}) {
    for (const std::vector<at::Tensor>& rest : std::vector<std::vector<at::Tensor>>{
             {gain, shift, weight, bias}, {none, none, weight, bias}, {gain, shift, weight, none}}) {
      const std::vector<at::Tensor> inputs = {input, rest[0], rest[1], rest[2], rest[3]};
      const auto actual = derivatives_of(normed_linear, inputs), expected = derivatives_of(plain, inputs);
      ASSERT_EQ(actual.size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_LE(max_abs_difference(actual[i], expected[i]),
                  1e-12 * (1 + expected[i].abs().max().item<double>()))
            << i;
      }
    }
  }
}

TEST(NormedLinear, EqualsLibTorchInHalfPrecisionAndForEmptyInput) {
  const auto of = [](at::IntArrayRef shape, at::ScalarType type) {
    return normed_linear(random_tensor(shape, 1, type), {}, {}, kEpsilon, random_tensor({5, 6}, 2, type), {});
  };
  EXPECT_EQ(of({2, 6}, at::kBFloat16).scalar_type(), at::kBFloat16);
  EXPECT_TRUE(of({2, 6}, at::kBFloat16)
                  .equal(plain(random_tensor({2, 6}, 1, at::kBFloat16), {}, {}, kEpsilon,
                               random_tensor({5, 6}, 2, at::kBFloat16), {})));
  EXPECT_EQ(of({0, 6}, at::kFloat).sizes(), at::IntArrayRef({0, 5}));
}

} // namespace
} // namespace mneme::nn
