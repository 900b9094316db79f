// SPDX-License-Identifier: MIT

/// LEAP of the four parts of a projection, whose gradient never exists as a whole.
#pragma once

#include "mneme/ops/leap.h"

namespace mneme::ops {

/// leap(query, focus, key, value) with all heads side by side, where query | focus | key | value = x . weight^T.
///
/// Shapes  x [B, T, E], weight [4 N, E] -> [B, T, N]; num_heads divides N
/// Types   as leap, both the same. Differentiable once in x and weight
/// Errors  UsageError, as leap
/// Cost    with options that the kernels know, in float32 or float64 on a CPU, kept for backward: x, the projection, the
///         readout; backward adds the gradient of x and of a few tokens of the projection at a time. Without gradients
///         the projection too exists for a few tokens at a time only
at::Tensor leap_projected(const at::Tensor& x, const at::Tensor& weight, int64_t num_heads,
                          const LeapOptions& options = {});

} // namespace mneme::ops
