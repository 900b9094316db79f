// SPDX-License-Identifier: MIT

/// How far an update has moved what states are associated with.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// The Frobenius norm of softmax(after . stored^T, masked) - softmax(before . stored^T, masked), of every batch;
/// missing and mask as in AssociateOptions.
///
/// Shapes  before, after [B, Q, D], both times beta; stored [B, S, D] -> [B], float64; S, D >= 1
/// Types   float32, float64, float16, bfloat16, the same for all, on any device. Not differentiable
/// Errors  UsageError if a tensor is undefined or not of real floating point, if shapes, types or devices
///         disagree, or if there is no stored pattern or no feature
/// Cost    O(B Q S D) time. float32 and float64 on a CPU: no queries x stored matrix is kept, and the answer does not
///         depend on the number of threads. Else O(B Q S) memory
at::Tensor association_change(const at::Tensor& before, const at::Tensor& after, const at::Tensor& stored,
                              const at::Tensor& missing = {}, const at::Tensor& mask = {});

} // namespace mneme::ops
