// SPDX-License-Identifier: MIT

/// Multi-head scaled dot-product attention that also returns its scores and weights.
#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

struct MultiHeadAttentionOptions {
  /// Inverse temperature, > 0 and finite. Default: 1 / sqrt(D). The tutorial uses the number of queries
  /// instead: 1 / sqrt(Q).
  std::optional<double> beta;
};

struct MultiHeadAttention {
  at::Tensor readout; ///< [B, H, Q, V]
  at::Tensor scores;  ///< [B, H, Q, S], beta * query . key, before the softmax
  at::Tensor weights; ///< [B, H, Q, S], rows sum to 1
};

/// Formula  weights = softmax(beta * query . key^T), readout = weights . value; per batch entry B and head H,
///          for Q queries and S keys with D features, and values with V features
/// Shapes   query [B, H, Q, D], key [B, H, S, D], value [B, H, S, V]
/// Types    real floating point, the same for all three, on any device. Differentiable
/// Errors   UsageError if shapes, types or devices do not match, or beta is not finite and > 0
/// Source   Vaswani et al. 2017, "Attention Is All You Need", equation 1
MultiHeadAttention multi_head_attention(const at::Tensor& query, const at::Tensor& key,
                                        const at::Tensor& value,
                                        const MultiHeadAttentionOptions& options = {});

} // namespace mneme::nn
