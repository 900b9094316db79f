// SPDX-License-Identifier: MIT

/// Forward pass of torch::nn::LayerNorm over the last dimension, whose modules only hold the parameters.
#pragma once

#include <torch/nn/modules/normalization.h>

#include "mneme/ops/layer_norm.h"

namespace mneme::nn {

/// As norm.forward(x), with ops::layer_norm: bitwise the same on any number of threads.
inline at::Tensor apply_norm(const torch::nn::LayerNormImpl& norm, const at::Tensor& x) {
  return ops::layer_norm(x, norm.weight, norm.bias, norm.options.eps());
}

} // namespace mneme::nn
