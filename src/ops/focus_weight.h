// SPDX-License-Identifier: MIT

/// Helpers that `leap`, `matrix_leap` and `window_means` share: weights from logits, epsilon, and checks of
/// options.
#pragma once

#include <initializer_list>

#include <ATen/core/Tensor.h>

#include "mneme/ops/window_means.h"
#include "ops/checks.h"

namespace mneme::ops {

/// The type of sums: float32 for float16 and bfloat16, else the type itself.
at::ScalarType type_of_sums(at::ScalarType type);

/// ELU + 1, without cancellation for logits below 0.
at::Tensor elu_weight(const at::Tensor& logit);
/// Its derivative, computed from the logit and the weight.
at::Tensor elu_weight_slope(const at::Tensor& logit, const at::Tensor& weight);

/// `tokens` [B, T, ...] with `filler` where key_padding_mask [B, T] is true; unchanged if the mask is
/// undefined.
at::Tensor without_padding(const at::Tensor& tokens, const at::Tensor& key_padding_mask, double filler);

/// Rows of tokens and their weights. Weights are factors of the rows (elu), or exponents that are still to be
/// applied (exponential).
struct WeightedRows {
  at::Tensor weight;     ///< [...], elu only; 0 where masked
  at::Tensor log_weight; ///< [...], exponential only; -infinity where masked
  at::Tensor rows;       ///< [..., 1 + R]: a column of ones, then the columns of all `parts`
};
WeightedRows weighted_rows(FocusWeight kind, const at::Tensor& logit, std::initializer_list<at::Tensor> parts,
                           const at::Tensor& key_padding_mask);

/// epsilon in the units of sums that are multiplied by exp(-reference). If epsilon is 0: 1 where the sum of
/// weights `total` is 0, so that the mean is 0 and not NaN, else 0.
at::Tensor scaled_epsilon(double epsilon, const at::Tensor& reference, const at::Tensor& total);

/// Errors  UsageError if one of the dimensions is empty
void check_sizes(const Checks& checks, const Checks::Named& input, std::initializer_list<int64_t> dimensions);
void check_epsilon(const Checks& checks, FocusWeight weight, double epsilon);
/// Errors  UsageError for `both_sides` with a decay
void check_sides(const Checks& checks, const Windows& windows, bool both_sides);
/// Errors  UsageError unless the mask is undefined or bool [B, T] on the device of `input` [B, T, ...]
void check_key_padding_mask(const Checks& checks, const at::Tensor& key_padding_mask,
                            const Checks::Named& input);

} // namespace mneme::ops
