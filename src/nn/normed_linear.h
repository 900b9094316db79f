// SPDX-License-Identifier: MIT

/// A layer norm and the projection behind it, without the normalised patterns between the two.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::nn {

/// linear(layer_norm(patterns)) over the last dimension. Only the patterns are kept for the way back, which takes the
/// norm anew; it can be differentiated again.
///
/// Shapes  patterns [..., E]; gain, shift [E], each may be undefined: 1 and 0; weight [F, E]; bias [F] or undefined
at::Tensor normed_linear(const at::Tensor& patterns, const at::Tensor& gain, const at::Tensor& shift,
                         double epsilon, const at::Tensor& weight, const at::Tensor& bias);

} // namespace mneme::nn
