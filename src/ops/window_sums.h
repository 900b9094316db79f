// SPDX-License-Identifier: MIT

/// Differentiable weighted sums over the window of every query position, for tensors of heads: the numerators
/// and denominators of window_means and of matrix_leap.
#pragma once

#include <ATen/core/Tensor.h>

#include "mneme/ops/window_means.h"

namespace mneme::ops {

/// sums_i = sum_j weight_ij rows_j and total_i = sum_j weight_ij, both times exp(-reference_i), where
/// weight_ij is the focus weight of token j, times exp(-decay (i - j)), and with query and key times
/// query_i . key_j.
struct WindowSums {
  at::Tensor sums;        ///< [B, T, H, R]
  at::Tensor total;       ///< [B, T, H, 1]
  at::Tensor denominator; ///< [B, T, H, 1]: total + epsilon, in the units of total
  at::Tensor reference;   ///< [B, T, H]; undefined (0) for elu weights
  /// Per token [B, T, H]; the weight is infinite where exp(logit) is.
  at::Tensor weight, log_weight;
};

/// logit [B, T, H], rows [B, T, H, R], and query and key [B, T, H, D], both or neither, in the type of the
/// sums. Differentiable once in all of them. The gradient treats the reference as a constant, which is
/// correct for functions that do not depend on it, such as sums / denominator.
WindowSums window_sums(const at::Tensor& logit, const at::Tensor& rows, const WindowMeansOptions& options,
                       const at::Tensor& query = {}, const at::Tensor& key = {});

} // namespace mneme::ops
