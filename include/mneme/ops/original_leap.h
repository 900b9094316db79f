// SPDX-License-Identifier: MIT

/// LEAP's mechanism as its published code computes it, to be measured against: sums over windows as differences of
/// prefix sums.
#pragma once

#include "mneme/ops/window_means.h"

namespace mneme::ops {

/// What `leap` gives with a sigmoid gate and the scale 1 / sqrt(D), by running sums over the whole sequence, of which the
/// one `window` tokens back is subtracted: on long sequences in float32 what is left are the digits that both have lost.
///
/// Shapes  query, focus, key, value [B, T, H, D] -> [B, T, H, D]; window in tokens, 0 = all
/// Types   float32, float64, the same for all; differentiable. exp(logit) overflows where it is larger than the type
/// Cost    O(B T H D) time; autograd keeps some ten tensors as large as the inputs
/// Source  LEAP, MultiheadLeap: final code (elu) and the code before (exponential)
at::Tensor original_leap(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                         const at::Tensor& value, int64_t window, FocusWeight weight = FocusWeight::elu);

} // namespace mneme::ops
