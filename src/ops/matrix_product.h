// SPDX-License-Identifier: MIT

/// Matrix products of linear layers, divided over threads.
#pragma once

#include <ATen/core/Tensor.h>

#include "mneme/ops/linear.h"

namespace mneme::ops {

/// True if `multiply` runs the kernel for such tensors, false if it calls LibTorch (linear_backend).
bool uses_linear_kernel(const at::Tensor& tensor);

/// out = a . b (+ bias) (+ out), without autograd, in the product_precision() of this thread.
///
/// Shapes  a [M, K], b [K, N], bias [N] or undefined -> out [M, N]; a and b have any strides, out is
///         contiguous; all of the same floating-point type and device. With the kernel, bits of an element
///         depend only on its row of a and its column of b (and bias, out)
void multiply(const at::Tensor& a, const at::Tensor& b, at::Tensor out, const at::Tensor& bias = {},
              bool accumulate = false);

/// out = gelu(a . b (+ bias)), without autograd; derivative: undefined, or of the shape of out, to receive
/// the derivatives of GELU. Shapes as `multiply`, which must run the kernel for these tensors.
void multiply_gelu(const at::Tensor& a, const at::Tensor& b, at::Tensor out, at::Tensor derivative,
                   const at::Tensor& bias, GeluForm form);

/// out = x . matrix^T (+ bias) of an int8 matrix, without autograd. The rows of x are quantised, see
/// int8_linear.h: bits of an element depend only on its row of x, its row of the matrix, and bias.
///
/// Shapes  x float32 [M, K] on the CPU, any strides; matrix [N, K + 4], contiguous; bias float32 [N] or
///         undefined -> out float32 [M, N], contiguous
void multiply_int8(const at::Tensor& x, const at::Tensor& matrix, at::Tensor out,
                   const at::Tensor& bias = {});

/// out = gelu(x . matrix^T (+ bias)), as multiply_int8.
void multiply_int8_gelu(const at::Tensor& x, const at::Tensor& matrix, at::Tensor out, const at::Tensor& bias,
                        GeluForm form);

/// out = sum of the rows of `a` (+ out), in float32 whatever the precision of products: a [M, N], any
/// strides, out [N], contiguous. Runs the kernel, and must be called only where `multiply` does.
void sum_rows(const at::Tensor& a, const at::Tensor& out, bool accumulate = false);

/// a^T . b of many rows, cut into chunks whose products are added in order: a [M, N], b [M, K] -> [N, K].
at::Tensor multiply_transposed(const at::Tensor& a, const at::Tensor& b);

} // namespace mneme::ops
