// SPDX-License-Identifier: MIT

/// Linear encoding of patterns as unit vectors, differentiable.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// encoded = normalise(patterns . matrix^T), every row scaled to length 1. A row that is projected to zeros
/// stays zero.
///
/// Shapes  patterns [N, n], matrix [e, n] -> [N, e]; e >= 1
/// Types   float32, float64, the same for both, on any device; patterns also uint8: pixels, which count as
///         byte / 255. Differentiable once, in both (not in bytes); the gradient of a row of zeros is 0
/// Errors  UsageError if a tensor is undefined, of another type or on another device, or if shapes disagree;
///         in backward, if a second derivative is requested (create_graph)
/// Cost    O(N n e) time; saved for backward: the encoded rows and their lengths. The result does not depend
///         on the number of threads
at::Tensor encode(const at::Tensor& patterns, const at::Tensor& matrix);

} // namespace mneme::ops
