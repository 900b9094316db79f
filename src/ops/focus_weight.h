// SPDX-License-Identifier: MIT

/// What `leap` and `window_means` share: weights from logits, epsilon, and checks of both.
#pragma once

#include <initializer_list>

#include <ATen/core/Tensor.h>

#include "mneme/ops/window_means.h"
#include "ops/checks.h"

namespace mneme::ops {

/// float32 where sums in the type itself would lose too much.
at::ScalarType type_of_sums(at::ScalarType type);

/// ELU + 1 without loss of digits below 0.
at::Tensor elu_weight(const at::Tensor& logit);
/// Its derivative, the weight being known.
at::Tensor elu_weight_slope(const at::Tensor& logit, const at::Tensor& weight);

/// `filler` where is_token [B, T] is false; of_tokens [B, T, ...]. An undefined mask changes nothing.
at::Tensor without_padding(const at::Tensor& of_tokens, const at::Tensor& is_token, double filler);

/// Rows of tokens with their weights: in the rows (elu), or as exponents that are still to be applied (exponential).
struct Weighed {
  at::Tensor weight;     ///< [...], elu only; 0 where there is no token
  at::Tensor log_weight; ///< [...], exponential only; -infinity where there is no token
  at::Tensor rows;       ///< [..., 1 + R]: a column of ones, and `parts` beside each other
};
Weighed weigh(FocusWeight kind, const at::Tensor& logit, std::initializer_list<at::Tensor> parts,
              const at::Tensor& is_token);

/// epsilon as it counts beside sums that were multiplied by exp(-reference); with epsilon 0, 1 where there is no
/// weight at all (`total` is 0), so that the mean is 0 and not NaN.
at::Tensor scaled_epsilon(double epsilon, const at::Tensor& reference, const at::Tensor& total);

/// Errors  UsageError if one of the dimensions is empty
void check_sizes(const Checks& checks, const Checks::Named& input, std::initializer_list<int64_t> dimensions);
void check_epsilon(const Checks& checks, FocusWeight weight, double epsilon);
/// Errors  UsageError if there is a decay on both sides
void check_sides(const Checks& checks, const Windows& windows, bool both_sides);
/// Errors  UsageError unless it is undefined or bool [B, T] on the device of `input` [B, T, ...]
void check_is_token(const Checks& checks, const at::Tensor& is_token, const Checks::Named& input);

} // namespace mneme::ops
