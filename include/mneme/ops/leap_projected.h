// SPDX-License-Identifier: MIT

/// LEAP of the four parts of a projection, whose gradient never exists as a whole.
#pragma once

#include <functional>

#include "mneme/ops/leap.h"

namespace mneme::ops {

/// What becomes of query, focus, key and value before they are compared, token by token and differentiable: [B, T, 4, H, D]
/// of the tokens from position `first` on -> the same shape.
using PartsTransform = std::function<at::Tensor(const at::Tensor& parts, int64_t first)>;

/// Dropout after the transform: of queries, focus and values, number by number, and of focus logits, of which a dropped one
/// is 0, so that its token has the weight 1. Keys are not dropped.
struct PartsDropout {
  double share = 0; ///< in [0, 1]; what is left is multiplied with 1 / (1 - share)
  int64_t seed = 0; ///< decides what is dropped, together with its place alone
};

/// leap(query, focus, key, value) with all heads side by side, where query | focus | key | value = x . weight^T, each after
/// `transform`, if there is one, and `dropout`.
///
/// Shapes  x [B, T, E], weight [4 N, E] -> [B, T, N]; num_heads divides N
/// Types   as leap, both the same. Differentiable once in x and weight
/// Errors  UsageError, as leap
/// Cost    with options that the kernels know, in float32 or float64 on a CPU, kept for backward: x, the projection, the
///         readout; backward adds the gradient of x and of a few tokens of the projection at a time (with a transform
///         these tokens are projected anew; what is dropped is told anew as well). Without gradients the projection too
///         exists for a few tokens at a time only
at::Tensor leap_projected(const at::Tensor& x, const at::Tensor& weight, int64_t num_heads,
                          const LeapOptions& options = {}, const PartsTransform& transform = {},
                          const PartsDropout& dropout = {});

} // namespace mneme::ops
