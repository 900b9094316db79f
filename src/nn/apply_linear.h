// SPDX-License-Identifier: MIT

/// Forward pass of torch::nn::Linear, whose modules only hold the parameters.
#pragma once

#include <torch/nn/modules/linear.h>

#include "mneme/ops/linear.h"

namespace mneme::nn {

/// As linear.forward(x), with ops::linear: bitwise the same on any number of threads.
inline at::Tensor apply_linear(const torch::nn::LinearImpl& linear, const at::Tensor& x) {
  return ops::linear(x, linear.weight, linear.bias);
}

} // namespace mneme::nn
