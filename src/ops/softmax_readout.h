// SPDX-License-Identifier: MIT

/// Softmax separation and projection in one streaming pass on the CPU, and the way back.
#pragma once

#include <array>

#include <ATen/core/Tensor.h>

#include "kernels/pair_dropout.h"
#include "ops/seen.h"

namespace mneme::ops {

/// Per query also the largest score and the sum of exp(score - largest), from which weights can be computed
/// anew.
struct SoftmaxReadout {
  at::Tensor readout;      ///< [B, Q, V]
  at::Tensor largest, sum; ///< [B, Q]
};

/// dropped(softmax(query . stored^T, masked)) . value, with beta already in the queries.
///
/// The dropout counts queries over all batches, from its first one on.
///
/// Shapes  query [B, Q, D], stored [B, S, D], value [B, S, V]; B may be 1 on any side; contiguous
/// Types   float32 or float64, the same for all; value also uint8: pixels
SoftmaxReadout softmax_readout(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                               const Seen& seen = {}, const kernels::PairDropout& dropout = {});

/// The gradients of query, stored and value, in their shapes; those not wanted are undefined.
std::array<at::Tensor, 3> softmax_readout_gradient(const at::Tensor& d_readout, const at::Tensor& query,
                                                   const at::Tensor& stored, const at::Tensor& value,
                                                   const SoftmaxReadout& forward, std::array<bool, 3> wanted,
                                                   const Seen& seen = {},
                                                   const kernels::PairDropout& dropout = {});

} // namespace mneme::ops
