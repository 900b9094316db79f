// SPDX-License-Identifier: MIT

/// Softmax attention on the CPU in one streaming pass, and its backward pass.
#pragma once

#include <array>

#include <ATen/core/Tensor.h>

#include "kernels/philox_dropout.h"
#include "ops/attention_masks.h"

namespace mneme::ops {

/// Readout and softmax statistics per query, from which backward recomputes the weights.
struct SoftmaxReadout {
  at::Tensor readout; ///< [B, Q, V]
  at::Tensor row_max; ///< [B, Q], maximum of the scores
  at::Tensor row_sum; ///< [B, Q], sum of exp(score - row_max)
};

/// dropout(softmax(query . stored^T, masked)) . value; the queries are already multiplied by beta.
///
/// The counters of `dropout` number the queries of all batches consecutively, from its first_query on.
///
/// Shapes  query [B, Q, D], stored [B, S, D], value [B, S, V]; B may be 1 in any of them; contiguous
/// Types   float32 or float64, the same for all; value also uint8: pixels
SoftmaxReadout softmax_readout(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                               const AttentionMasks& masks = {}, const kernels::PhiloxDropout& dropout = {});

/// Backward pass of softmax_readout: gradients of query, stored and value; undefined where `needs_gradient`
/// is false.
std::array<at::Tensor, 3> softmax_readout_gradient(const at::Tensor& d_readout, const at::Tensor& query,
                                                   const at::Tensor& stored, const at::Tensor& value,
                                                   const SoftmaxReadout& forward,
                                                   std::array<bool, 3> needs_gradient,
                                                   const AttentionMasks& masks = {},
                                                   const kernels::PhiloxDropout& dropout = {});

} // namespace mneme::ops
