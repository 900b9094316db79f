// SPDX-License-Identifier: MIT

/// Sums over the window of every reader, differentiable, for whole tensors of heads: what window_means divides by the
/// sum of weights, and matrix_leap by the sum of what its query finds.
#pragma once

#include <ATen/core/Tensor.h>

#include "mneme/ops/window_means.h"

namespace mneme::ops {

/// What readers see of rows of tokens:
/// sums_i = sum_j weight_ij rows_j, total_i = sum_j weight_ij, both times exp(-reference_i), where weight_ij is the focus
/// weight of token j, by decay less, and with query and key times query_i . key_j.
struct WindowSums {
  at::Tensor sums;        ///< [B, T, H, R]
  at::Tensor total;       ///< [B, T, H, 1]
  at::Tensor denominator; ///< [B, T, H, 1]: total and epsilon
  at::Tensor reference;   ///< [B, T, H]; undefined for elu weights: 0
  /// Of the tokens [B, T, H]; the weight is infinite where exp(logit) is.
  at::Tensor weight, log_weight;
};

/// logit [B, T, H], rows [B, T, H, R], and query and key [B, T, H, D] both, or none, in the type of the sums.
/// Differentiable once in all of them; the gradient takes the reference for a constant: right for whatever does not
/// depend on it, as sums / denominator.
WindowSums window_sums(const at::Tensor& logit, const at::Tensor& rows, const WindowMeansOptions& options,
                       const at::Tensor& query = {}, const at::Tensor& key = {});

} // namespace mneme::ops
