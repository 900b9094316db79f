// SPDX-License-Identifier: MIT

/// Dispatch between the CPU kernels and LibTorch.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// True for float32 and float64 on a CPU, which the kernels support; LibTorch computes everything else.
inline bool has_kernel(const at::Tensor& tensor) {
  return tensor.device().is_cpu() &&
         (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kDouble);
}

} // namespace mneme::ops
