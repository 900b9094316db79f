// SPDX-License-Identifier: MIT

/// Attention as gain modulation: signals from outside choose which part of the input is heard.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::nn {

struct GainedAttention {
  at::Tensor weights; ///< [.., T], rows sum to 1
  at::Tensor output;  ///< [..]
};

/// One associative step whose query is the gains: weights = softmax(gains . patterns), output = weights . input.
///
/// Shapes  input [T], patterns [K, T], gains [K] or [N, K] -> weights [T] or [N, T], output [] or [N]; K, T >= 1
/// Units   a gain is the sharpness with which its pattern is attended to, no unit; 0 takes it out
/// Types   float32, float64, the same for all three, on any device. Differentiable in all three
/// Errors  UsageError if shapes, types or devices disagree
/// Source  Neuromatch tutorial on attention, exercise 1: gains z, patterns q
GainedAttention gained_attention(const at::Tensor& input, const at::Tensor& patterns,
                                 const at::Tensor& gains);

} // namespace mneme::nn
