// SPDX-License-Identifier: MIT

/// Change of attention weights from one update of the states to the next.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// Frobenius norm of softmax(after . stored^T, masked) - softmax(before . stored^T, masked), per batch.
///
/// Shapes  before, after [B, Q, D], both already multiplied by beta; stored [B, S, D] -> [B], float64;
///         S, D >= 1. key_padding_mask and attention_mask as in AssociateOptions
/// Types   float32, float64, float16, bfloat16, the same for all, on any device. Not differentiable
/// Errors  UsageError if a tensor is undefined or not of real floating point, if shapes, types or devices
///         disagree, or if there is no stored pattern or no feature
/// Cost    O(B Q S D) time. float32 and float64 on a CPU: the weights [B, Q, S] are never stored, and the
///         result does not depend on the number of threads. Otherwise O(B Q S) memory
at::Tensor association_change(const at::Tensor& before, const at::Tensor& after, const at::Tensor& stored,
                              const at::Tensor& key_padding_mask = {}, const at::Tensor& attention_mask = {});

} // namespace mneme::ops
