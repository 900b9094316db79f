// SPDX-License-Identifier: MIT

/// Linear layer and its gradients on CPU kernels, bitwise the same on any number of threads.
#pragma once

#include <array>

#include <ATen/core/Tensor.h>

#include "mneme/core/precision.h"

namespace mneme::ops {

/// x . weight^T + bias, as at::linear. weight may also be an int8 matrix [N, K + 4] (int8_matrix.h): x and
/// bias are then float32 on the CPU, and nothing is differentiable.
/// Shapes  x [..., K], weight [N, K], bias [N] or undefined -> [..., N]. Any strides: a transposed weight is
///         read in place, and so is x unless its leading dimensions cannot be merged into one
/// Types   float32 and float64 on the CPU use the kernel; at::linear computes other types, other devices, and
///         calls under autocast. Differentiable in all three, also twice
/// Errors  UsageError if shapes, types or devices do not match; where at::linear computes, those of LibTorch
/// Sums    A row of the output depends only on its row of x, on weight and on bias: its bits do not depend on
///         the values of the other rows, nor on the number of threads. Calls with at most 16 rows may add in
///         another order than those with more. Gradients of weight and bias are sums over rows, cut at
///         positions that depend on sizes alone
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

enum class GeluForm {
  exact, ///< x Phi(x), with the standard normal distribution function Phi
  tanh,  ///< 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), as in GPT-2
};

/// gelu(x . weight^T + bias). The kernel computes GELU while a tile of the product is in the cache, and saves
/// its derivative for backward instead of the product.
///
/// Shapes, types, errors, sums  as `linear`; differentiable once where the kernel computes
at::Tensor linear_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {},
                       GeluForm form = GeluForm::exact);

/// Gradients of `linear`; those that are not needed are undefined.
struct LinearGradients {
  at::Tensor x, weight, bias;
};

/// From the gradient of the output, [..., N], in the same types as `linear`. Differentiable if gradients are
/// enabled. `needed`: gradients of x, weight and bias to compute.
LinearGradients linear_backward(const at::Tensor& d_output, const at::Tensor& x, const at::Tensor& weight,
                                std::array<bool, 3> needed);

/// Sets the precision of linear layers on this thread, and restores it at the end of the scope. Backward of a
/// graph on the CPU runs on the thread that calls it. Tensors of other types or devices are not affected, nor
/// is what LibTorch computes.
class ProductPrecisionGuard {
public:
  explicit ProductPrecisionGuard(ProductPrecision precision);
  ~ProductPrecisionGuard();
  ProductPrecisionGuard(const ProductPrecisionGuard&) = delete;
  ProductPrecisionGuard& operator=(const ProductPrecisionGuard&) = delete;

private:
  ProductPrecision before_;
};
ProductPrecision product_precision();

/// Implementation of all products of linear layers.
///
/// `automatic` is the kernel for float32 and float64 on the CPU, for all sizes and CPUs: LibTorch's MKL is
/// slower on AMD, and its sums depend on the number of threads on any CPU.
enum class LinearBackend { automatic, kernel, libtorch };

/// Selects the implementation for all later calls (tests, benchmarks). Must not be called while layers run.
/// LibTorch still computes what the kernel does not support.
void set_linear_backend(LinearBackend backend);
LinearBackend linear_backend();

} // namespace mneme::ops
