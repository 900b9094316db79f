// SPDX-License-Identifier: MIT

/// One associative step on tensors, differentiable: similarity, separation, projection.
///
/// All of `ops`: batch first, row-major, features last; nothing is changed in place.
#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

namespace mneme::ops {

struct AssociateOptions {
  /// Inverse temperature, > 0 and finite, no unit. Default 1 / sqrt(D).
  std::optional<double> beta = {};
  /// The same as a tensor [1], or [B] with one for every batch (a head, say): differentiable, so that it can
  /// be learnt; any finite numbers. In place of `beta`.
  at::Tensor beta_tensor = {};
  /// Patterns that are not there, bool or uint8 [M, S], true: no query sees them. M divides B: each row serves B / M
  /// batches that follow each other (the heads of an entry). What is missing need not even be finite on the streaming
  /// path. Default: all are there.
  at::Tensor missing = {};
  /// For pairs, [Q, S] or [M, Q, S]: bool or uint8, true: not seen; or numbers of the queries' type, added to the scores
  /// times beta, -infinity: not seen. May be expanded. Default: none.
  at::Tensor mask = {};
  /// Share of the weights that are dropped, in [0, 1]: those that are left are multiplied with 1 / (1 - dropout). Which ones
  /// depends on the seed and on their place alone (association_dropout.h). Default 0.
  double dropout = 0;
  int64_t dropout_seed = 0;
};

/// Retrieves by one associative step: readout = softmax(beta * query . stored^T, masked) . value. A query that sees
/// nothing reads 0, and no gradient passes it.
///
/// Shapes  query [B, Q, D], stored [B, S, D], value [B, S, V] -> [B, Q, V]; B may be 1 on any side; D, S >= 1
/// Types   float32, float64, float16, bfloat16, the same for all, on any device; value also uint8: pixels,
///         which count as byte / 255. Differentiable once, in all of them but bytes; also in a mask of numbers.
/// Errors  UsageError if a tensor is undefined or not of real floating point, if shapes, types or devices
///         disagree, if there is no stored pattern or no feature, if beta is not finite or a number <= 0, or if dropout is no share;
///         in backward, if a second derivative is asked for
/// Cost    O(B Q S (D + V)) time. float32 and float64 on a CPU: a streaming pass that keeps no weights, forward
///         or backward: O(B Q V) extra memory, at most 16 times the readout or a gradient. Elsewhere what
///         LibTorch's scaled_dot_product_attention takes; with dropout, and where a mask needs a gradient, O(B Q S). The readout does not depend on the number of threads there. Blocks that a mask
///         hides are skipped: a causal one halves the time
/// Also    torch.ops.mneme.associate(query, stored, value, beta, missing=None, mask=None, dropout=0, dropout_seed=0)
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need", update rule (eq. 3) with separate
/// values
at::Tensor associate(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                     const AssociateOptions& options = {});

} // namespace mneme::ops
