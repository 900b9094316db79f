// SPDX-License-Identifier: MIT

/// The last layer of a language model together with its loss: logits and cross-entropy in chunks of rows.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// Targets with this value are not counted, as in LibTorch.
constexpr int64_t kIgnoredTarget = -100;

/// A sum and not a mean, so that sums of parts of a batch add up to that of the batch.
struct CrossEntropySum {
  at::Tensor sum;    ///< scalar, float64, in nats; 0 if no target is counted
  int64_t count = 0; ///< number of counted targets
};

/// Sum over all counted targets t of -log softmax(hidden . weight^T + bias)[t].
///
/// The logits [N, V] never exist as a whole. If a gradient is required, it is computed in the forward pass,
/// chunk by chunk, and kept until the backward pass. Neither sum nor gradients depend on the number of
/// threads (on the CPU, float32 and float64).
///
/// Shapes  hidden [N, C], weight [V, C], bias [V] (undefined: none), targets int64 [N]; N, C >= 0; V >= 1
/// Types   floating point, the same for all, on any device. Differentiable once in hidden, weight and bias.
///         weight may be an int8 matrix (int8_matrix.h) [V, C + 4]; the others are then float32 on the CPU,
///         and nothing is differentiable
/// Errors  UsageError if shapes, types or devices disagree, or a target is neither in [0, V) nor
///         kIgnoredTarget; in backward, if a second derivative is requested
/// Cost    3 matrix products of N C V multiply-adds with gradients, 1 without; extra memory: gradients, and a
///         chunk of logits of at most 16 MiB (or 16 rows)
CrossEntropySum linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& weight,
                                     const at::Tensor& bias, const at::Tensor& targets);

} // namespace mneme::ops
