// SPDX-License-Identifier: MIT

/// Transformations of the vectors of heads [B, T, H, D] before they are compared.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::nn {

/// (x - mean) / (standard deviation + 1e-5) over the features, with the unbiased standard deviation (divisor
/// D - 1); differentiable. D >= 2.
at::Tensor standardise(const at::Tensor& x);

/// Rotary position embedding: rotates features d and d + D / 2 of the token at position p by the angle
/// p * 10000^(-2 d / D). D even.
at::Tensor rotary_embedding(const at::Tensor& x, int64_t first_position);

} // namespace mneme::nn
