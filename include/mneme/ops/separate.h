// SPDX-License-Identifier: MIT

/// Separation, the second step of a memory, on tensors: maps scores to weights that sum to 1 (softmax,
/// sparsemax, entmax, normmax), differentiable.
#pragma once

#include <ATen/core/Tensor.h>

#include "mneme/core/simplex_separation.h"

namespace mneme::ops {

/// Choice of the separation; the same type as for memories.
using Separation = SimplexSeparation;

/// Weights of each row of scores, along the last dimension.
///
/// Shapes  scores [..., S] -> [..., S]; S >= 1. A score of -infinity has weight 0, unless all scores of the
///         row are -infinity
/// Types   float32, float64, float16, bfloat16, on any device; differentiable, also twice
/// Errors  UsageError if scores are undefined, not of floating point, or if S is 0
/// Cost    O(S) per row for float32 and float64 on a CPU, where rows are computed in parallel; otherwise
///         O(S log S), and O(S) for softmax
/// Source  Martins & Astudillo 2016 (sparsemax); Peters, Niculae & Martins 2019 (1.5-entmax); Blondel,
///         Martins & Niculae 2020 (normmax)
at::Tensor separate(const at::Tensor& scores, Separation separation);

/// max over p of p . scores + entropy(p), the convex potential whose gradient are the weights; for softmax
/// the log-sum-exp of the scores.
///
/// Shapes  scores [..., S] -> [...]
/// Errors  as separate
at::Tensor separation_potential(const at::Tensor& scores, Separation separation);

/// Entropy of S equal weights, the maximum for S weights: ln S for softmax.
double max_entropy(int64_t count, Separation separation);

} // namespace mneme::ops
