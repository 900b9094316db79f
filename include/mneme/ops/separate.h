// SPDX-License-Identifier: MIT

/// The second step on tensors, differentiable: scores become weights that sum to 1.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// How sharply scores separate. Of all weights p that sum to 1, each takes those with the largest
/// p . scores + entropy(p):
enum class Separation {
  softmax,   ///< entropy -sum p ln p: every pattern counts
  entmax15,  ///< entropy 4/3 (1 - sum p^1.5): between the two
  sparsemax, ///< entropy (1 - sum p^2) / 2: far patterns get exactly 0
};

/// Weights of every row.
///
/// Shapes  scores [..., S] -> [..., S]; S >= 1. A score of -infinity gets weight 0, if not all of the row are
/// Types   float32, float64, on any device; differentiable, also twice
/// Errors  UsageError if scores are undefined, not of floating point, or there are none in a row
/// Cost    O(S log S) per row, softmax O(S)
/// Source  Martins & Astudillo 2016 (sparsemax); Peters, Niculae & Martins 2019 (1.5-entmax)
at::Tensor separate(const at::Tensor& scores, Separation separation);

/// The largest p . scores + entropy(p) itself, whose gradient are the weights; for softmax ln(sum exp(scores)).
///
/// Shapes  scores [..., S] -> [...]
/// Errors  as separate
at::Tensor separation_potential(const at::Tensor& scores, Separation separation);

/// The largest entropy of S weights, that of equal ones: ln S for softmax.
double largest_entropy(int64_t count, Separation separation);

} // namespace mneme::ops
