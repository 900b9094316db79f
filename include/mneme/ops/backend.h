// SPDX-License-Identifier: MIT

/// Which tensors the kernels can compute; all others are LibTorch's.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

inline bool has_kernel(const at::Tensor& tensor) {
  return tensor.device().is_cpu() &&
         (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kDouble);
}

} // namespace mneme::ops
