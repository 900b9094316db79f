// SPDX-License-Identifier: MIT

/// Sums over a sliding window of a sequence: LibTorch on any device, in time linear in the length for every
/// window, without differences of long sums.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// Band matrix of weights: weight_ij = exp(log_weight_j - reference_i - decay * (i - j)) for query position i
/// and tokens j = max(0, i - window + 1) .. i, else 0. Weights must be <= 1 for all i, j in the sum.
/// Undefined tensors count as 0.
struct Band {
  int64_t window = 1;    ///< in tokens, >= 1
  at::Tensor log_weight; ///< [G, T], per token
  at::Tensor reference;  ///< [G, T], per query position
  at::Tensor decay;      ///< [G], >= 0
  /// [G, T, D], both or neither: weights are also multiplied by query_i . key_j, which may have any sign.
  at::Tensor query, key;
};

/// sums_i = sum_j weight_ij rows_j, for every query position. Rows [G, T, R] of any sign, T >= 1.
at::Tensor band_sum(const at::Tensor& rows, const Band& band);

/// band_sum for the last `count` query positions only, with a dense matrix of weights: fast for small counts.
at::Tensor band_sum_last(const at::Tensor& rows, const Band& band, int64_t count);

/// Product with the transposed band: sums_j = sum_i weight_ij rows_i, over the query positions i whose
/// windows contain j.
at::Tensor transposed_band_sum(const at::Tensor& rows, const Band& band);

/// Maximum of log_weight_j - decay * (i - j) in the window of every query position [G, T], at least
/// kMinReference.
at::Tensor band_max(const Band& band);

/// Reference of a window in which all weights are 0: exp(-kMinReference) is infinite in every type.
constexpr double kMinReference = -1e30;

} // namespace mneme::ops
