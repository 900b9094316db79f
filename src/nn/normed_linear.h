// SPDX-License-Identifier: MIT

/// Layer norm of patterns, also followed by a linear projection without storing the normalised patterns.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::nn {

/// Layer norm over the last dimension, differentiable twice. LibTorch normalises few numbers, as fast as
/// ops::layer_norm: updates until convergence can amplify differences of rounding by factors of a hundred,
/// and with its sums they stay near those of hflayers.
///
/// Shapes  patterns [..., E]; gain, shift [E], undefined: 1 and 0
at::Tensor norm_patterns(const at::Tensor& patterns, const at::Tensor& gain, const at::Tensor& shift,
                         double epsilon);

/// linear(layer_norm(patterns)) over the last dimension. Of many patterns, saves only the patterns; the
/// backward pass recomputes the norm. Double backward is supported.
///
/// Shapes  patterns [..., E]; weight and bias of the norm: gain, shift [E], undefined: 1 and 0; of the
///         projection: weight [F, E], bias [F], undefined: 0
at::Tensor normed_linear(const at::Tensor& patterns, const at::Tensor& gain, const at::Tensor& shift,
                         double epsilon, const at::Tensor& weight, const at::Tensor& bias);

} // namespace mneme::nn
