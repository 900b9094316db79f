// SPDX-License-Identifier: MIT

/// Random tensors for tests, and comparisons of tensors, gradients and error messages.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::ops {

using mneme::testing::expect_contains;

inline at::Tensor random_tensor(at::IntArrayRef shape, uint64_t seed, at::ScalarType type = at::kDouble) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::kDouble).to(type);
}

inline double max_abs_difference(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

/// Message of the Error that the call throws.
template <class Error> std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "the call does not throw";
  return "";
}
inline std::string usage_error_of(const std::function<void()>& call) {
  return message_of<UsageError>(call);
}
inline std::string data_error_of(const std::function<void()>& call) {
  return message_of<DataError>(call);
}

/// Checks the gradients of `loss` in every element of every input by central differences, in float64.
inline void expect_gradients_of(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& loss,
                                const std::vector<at::Tensor>& inputs, double tolerance = 1e-8) {
  std::vector<at::Tensor> leaves;
  leaves.reserve(inputs.size());
  for (const at::Tensor& input : inputs) {
    leaves.push_back(input.clone().requires_grad_());
  }
  loss(leaves).backward();
  constexpr double kStep = 1e-5; // error of the central difference: about step^2 = 1e-10
  for (size_t which = 0; which < inputs.size(); ++which) {
    const at::Tensor gradient = leaves[which].grad().flatten();
    for (int64_t i = 0; i < gradient.numel(); ++i) {
      std::vector<at::Tensor> up(inputs), down(inputs);
      up[which] = inputs[which].clone();
      up[which].view(-1)[i] += kStep;
      down[which] = inputs[which].clone();
      down[which].view(-1)[i] -= kStep;
      const double expected = (loss(up) - loss(down)).item<double>() / (2 * kStep);
      EXPECT_NEAR(gradient[i].item<double>(), expected, tolerance) << "input " << which << ", element " << i;
    }
  }
}

} // namespace mneme::ops
