// SPDX-License-Identifier: MIT

/// A linear projection to unit length, differentiable: how patterns are encoded before they are compared.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// encoded = normalise(patterns . matrix^T): every row of length 1. A row that projects to zeros stays zeros.
///
/// Shapes  patterns [N, n], matrix [e, n] -> [N, e]; e >= 1
/// Types   float32, float64, the same for both, on any device; patterns also uint8: pixels, which count as
///         byte / 255. Differentiable once, in both but bytes; a row of zeros has no gradient.
/// Errors  UsageError if a tensor is undefined, of another type or on another device, or if shapes disagree;
///         in backward, if a second derivative is asked for
/// Cost    O(N n e) time; kept for backward: the encoded rows and their lengths. The result does not depend on
///         the number of threads
at::Tensor encode(const at::Tensor& patterns, const at::Tensor& matrix);

} // namespace mneme::ops
