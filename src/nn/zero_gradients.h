// SPDX-License-Identifier: MIT

/// Gradients of inputs that have no effect on an output.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

/// `output`, with a gradient of zeros for each of `inputs`, as if it had been computed from them. Undefined
/// inputs, and those that need no gradient, are skipped.
at::Tensor with_zero_gradients(const at::Tensor& output, const std::vector<at::Tensor>& inputs);

} // namespace mneme::nn
