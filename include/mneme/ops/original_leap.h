// SPDX-License-Identifier: MIT

/// LEAP's mechanism as computed by its published code, a baseline for comparisons: sums over windows are
/// differences of prefix sums.
#pragma once

#include "mneme/ops/window_means.h"

namespace mneme::ops {

/// `leap` with a sigmoid gate and the scale 1 / sqrt(D), where the sum over a window is the difference of two
/// prefix sums, `window` tokens apart. On long sequences in float32 this difference loses digits to
/// cancellation.
///
/// Shapes  query, focus, key, value [B, T, H, D] -> [B, T, H, D]; window in tokens, 0 = all
/// Types   float32, float64, the same for all; differentiable. exp(logit) overflows if it exceeds the range
///         of the type
/// Cost    O(B T H D) time; autograd saves about ten tensors as large as the inputs
/// Source  LEAP, MultiheadLeap: final code (elu) and the code before (exponential)
at::Tensor original_leap(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                         const at::Tensor& value, int64_t window, FocusWeight weight = FocusWeight::elu);

} // namespace mneme::ops
