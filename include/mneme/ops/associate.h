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
  std::optional<double> beta;
};

/// Retrieves by one associative step: readout = softmax(beta * query . stored^T) . value.
///
/// Shapes  query [B, Q, D], stored [B, S, D], value [B, S, V] -> [B, Q, V]; B may be 1 on any side; D, S >= 1
/// Types   float32, float64, float16, bfloat16, the same for all three, on any device. Differentiable in all
///         three tensors.
/// Errors  UsageError if a tensor is undefined or not of real floating point, if shapes, types or devices
///         disagree, if there is no stored pattern or no feature, or if beta is not finite and > 0
/// Cost    O(B Q S (D + V)) time, O(B Q S) extra memory
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need", update rule (eq. 3) with separate
/// values
at::Tensor associate(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                     const AssociateOptions& options = {});

} // namespace mneme::ops
