// SPDX-License-Identifier: MIT

/// Layer norm and its gradients on CPU kernels, bitwise the same on any number of threads.
#pragma once

#include <array>

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// (x - mean) / sqrt(variance + epsilon) * gain + shift over the last dimension, as at::layer_norm.
///
/// Shapes  x [..., E], gain and shift [E], undefined: 1 and 0 -> [..., E]
/// Types   float32 and float64 on the CPU use the kernel; at::layer_norm computes other types, other devices,
///         and calls under autocast. Differentiable in all three, also twice
/// Errors  those of LibTorch if shapes or types do not match
/// Sums    A row of the output depends only on its row of x. Gradients of gain and shift are sums over rows,
///         cut at positions that depend on sizes alone
/// Source  Ba, Kiros & Hinton 2016, "Layer Normalization"
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& shift, double epsilon);

/// Output of `layer_norm`, and the statistics of each row that its gradients need.
struct LayerNormed {
  at::Tensor output;            ///< [..., E]
  at::Tensor mean, inverse_std; ///< [..., 1]; inverse_std: 1 / sqrt(variance + epsilon)
};

/// Differentiable if gradients are enabled; LibTorch computes then.
LayerNormed layer_norm_with_statistics(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& shift,
                                       double epsilon);

/// Gradients of `layer_norm`; those that are not needed are undefined.
struct LayerNormGradients {
  at::Tensor x, gain, shift;
};

/// From the gradient of the output, [..., E], and the statistics of the rows of x. Differentiable if
/// gradients are enabled. `needed`: gradients of x, gain and shift to compute.
LayerNormGradients layer_norm_backward(const at::Tensor& d_output, const at::Tensor& x,
                                       const at::Tensor& gain, const at::Tensor& shift,
                                       const LayerNormed& normed, std::array<bool, 3> needed);

} // namespace mneme::ops
