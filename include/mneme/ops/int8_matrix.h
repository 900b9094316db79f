// SPDX-License-Identifier: MIT

/// Weights and embeddings of one byte per number, for inference.
///
/// An int8 matrix of N rows of K numbers is a tensor of type Char and shape [N, K + 4]: each row has K
/// integers from -127 to 127, followed by the four bytes of its scale, a float32; a number is scale times
/// integer. `linear`, `linear_gelu` and `linear_cross_entropy` (linear.h, linear_cross_entropy.h) accept one
/// as weight.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// Whether the tensor has the type of int8 matrices.
bool is_int8_matrix(const at::Tensor& tensor);

/// The int8 matrix nearest to a weight, with scale = largest absolute value of the row / 127: a number errs
/// by at most half of the scale. Rows whose numbers are all below 1e-30 become 0.
///
/// Shapes  weight [N, K], any strides -> [N, K + 4]
/// Types   float32 on the CPU
/// Errors  UsageError for another shape, type or device, and for numbers that are not finite
at::Tensor to_int8_matrix(const at::Tensor& weight);

/// Rows of an int8 matrix as float32: an embedding.
///
/// Shapes  matrix [N, K + 4], ids int64 of any shape [...] -> [..., K]
/// Errors  UsageError if matrix is not an int8 matrix; those of LibTorch for ids outside of [0, N)
at::Tensor int8_matrix_rows(const at::Tensor& matrix, const at::Tensor& ids);

} // namespace mneme::ops
