// SPDX-License-Identifier: MIT

/// Linear projection and LEAP in one operator. Backward never materialises the gradient of the entire
/// projection.
#pragma once

#include <functional>

#include "mneme/ops/leap.h"

namespace mneme::ops {

/// Transform of query, focus, key and value before LEAP (norms, rotary positions), token by token and
/// differentiable: [B, T, 4, H, D] of the tokens from position `first` on -> the same shape.
using ProjectionTransform = std::function<at::Tensor(const at::Tensor& projected, int64_t first)>;

/// Dropout after the transform, elementwise in queries, focus and values, and in focus logits. A dropped
/// logit is 0: its token has the weight 1. Keys are not dropped. The mask is regenerated from a counter-based
/// RNG (Philox).
struct ProjectionDropout {
  double probability = 0; ///< in [0, 1]; the other elements are multiplied by 1 / (1 - probability)
  int64_t seed = 0;       ///< an element's mask depends only on this and on its position
};

/// leap(query, focus, key, value) with concatenated heads, where query | focus | key | value = x . weight^T,
/// after `transform` (if any) and `dropout`.
///
/// Shapes  x [B, T, E], weight [4 N, E] -> [B, T, N]; num_heads divides N
/// Types   as leap, both the same. Differentiable once in x and weight
/// Errors  UsageError, as leap
/// Cost    with options that the CPU kernels support, in float32 or float64, saved for backward: x, the
///         projection, the readout. Backward adds the gradient of x and that of a block of tokens of the
///         projection (with a transform the block is projected again; the dropout mask is regenerated).
///         Without gradients the projection, too, is computed in blocks of tokens
at::Tensor leap_projected(const at::Tensor& x, const at::Tensor& weight, int64_t num_heads,
                          const LeapOptions& options = {}, const ProjectionTransform& transform = {},
                          const ProjectionDropout& dropout = {});

} // namespace mneme::ops
