// SPDX-License-Identifier: MIT

/// The second step on tensors, differentiable: scores become weights that sum to 1.
#pragma once

#include <ATen/core/Tensor.h>

#include "mneme/core/simplex_separation.h"

namespace mneme::ops {

/// How sharply scores separate: a choice from the list that memories have too.
using Separation = SimplexSeparation;

/// Weights of every row.
///
/// Shapes  scores [..., S] -> [..., S]; S >= 1. A score of -infinity gets weight 0, if not all of the row are
/// Types   float32, float64, and half precision, on any device; differentiable, also twice
/// Errors  UsageError if scores are undefined, not of floating point, or there are none in a row
/// Cost    O(S) per row on a CPU in float32 and float64, where rows are parallel, else O(S log S); softmax O(S)
/// Source  Martins & Astudillo 2016 (sparsemax); Peters, Niculae & Martins 2019 (1.5-entmax); Blondel, Martins & Niculae 2020
///         (normmax)
at::Tensor separate(const at::Tensor& scores, Separation separation);

/// The largest p . scores + entropy(p) itself, whose gradient are the weights; for softmax ln(sum exp(scores)).
///
/// Shapes  scores [..., S] -> [...]
/// Errors  as separate
at::Tensor separation_potential(const at::Tensor& scores, Separation separation);

/// The largest entropy of S weights, that of equal ones: ln S for softmax.
double largest_entropy(int64_t count, Separation separation);

} // namespace mneme::ops
