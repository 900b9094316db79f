// SPDX-License-Identifier: MIT

/// Layer norm followed by a linear projection, without storing the normalised patterns.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::nn {

/// linear(layer_norm(patterns)) over the last dimension. Of many patterns, saves only the patterns; the
/// backward pass recomputes the norm. Double backward is supported.
///
/// Shapes  patterns [..., E]; weight and bias of the norm: gain, shift [E], undefined: 1 and 0; of the
///         projection: weight [F, E], bias [F], undefined: 0
at::Tensor normed_linear(const at::Tensor& patterns, const at::Tensor& gain, const at::Tensor& shift,
                         double epsilon, const at::Tensor& weight, const at::Tensor& bias);

} // namespace mneme::nn
