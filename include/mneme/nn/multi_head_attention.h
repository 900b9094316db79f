// SPDX-License-Identifier: MIT

/// Scaled dot-product attention of several heads that also gives what it was computed from.
#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

struct MultiHeadAttentionOptions {
  /// Sharpness, > 0 and finite. Default 1 / sqrt(D). The tutorial divides by the root of the number of places
  /// instead: 1 / sqrt(Q).
  std::optional<double> beta;
};

struct MultiHeadAttention {
  at::Tensor readout; ///< [B, H, Q, V]
  at::Tensor scores;  ///< [B, H, Q, S], beta * query . key, before the softmax
  at::Tensor weights; ///< [B, H, Q, S], rows sum to 1
};

/// Formula  weights = softmax(beta * query . key^T), readout = weights . value; head by head
/// Shapes   query [B, H, Q, D], key [B, H, S, D], value [B, H, S, V]
/// Types    float32, float64, the same for all three, on any device. Differentiable
/// Errors   UsageError if shapes, types or devices disagree, or beta is not finite and > 0
/// Source   Vaswani et al. 2017, "Attention Is All You Need", equation 1
MultiHeadAttention multi_head_attention(const at::Tensor& query, const at::Tensor& key,
                                        const at::Tensor& value,
                                        const MultiHeadAttentionOptions& options = {});

} // namespace mneme::nn
