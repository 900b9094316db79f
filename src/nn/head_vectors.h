// SPDX-License-Identifier: MIT

/// What is done to the vectors of heads [B, T, H, D] before they are compared.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::nn {

/// (x - mean) / (deviation + 1e-5) over the features, deviation with D - 1; differentiable. D >= 2.
at::Tensor standardized(const at::Tensor& x);

/// Rotates features d and d + D / 2 of the token at position p by the angle p * 10000^(-2 d / D). D even.
at::Tensor rotated(const at::Tensor& x, int64_t first_position);

} // namespace mneme::nn
