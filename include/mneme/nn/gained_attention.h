// SPDX-License-Identifier: MIT

/// Attention as gain modulation: external gains choose the positions of the input that are attended to.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::nn {

struct GainedAttention {
  at::Tensor weights; ///< [.., T], rows sum to 1
  at::Tensor output;  ///< [..]
};

/// Formula  weights = softmax(gains . patterns), output = weights . input: one association step with the
///          gains as query
/// Shapes   input [T], patterns [K, T], gains [K] or [N, K] -> weights [T] or [N, T], output [] or [N]; K, T
///          >= 1
/// Units    gains are dimensionless: the larger a gain, the sharper the attention to its pattern; a gain of 0
///          removes the pattern
/// Types    real floating point, the same for all three, on any device. Differentiable in all three
/// Errors   UsageError if shapes, types or devices do not match
/// Source   Neuromatch tutorial on attention, exercise 1: gains z, patterns q
GainedAttention gained_attention(const at::Tensor& input, const at::Tensor& patterns,
                                 const at::Tensor& gains);

} // namespace mneme::nn
