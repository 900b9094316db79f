// SPDX-License-Identifier: MIT

/// Tensors of host constants, filled on the device: a copy from the host would make it wait for the device.
#pragma once

#include <algorithm>
#include <vector>

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

namespace mneme::ops {

/// `values` as a tensor [values.size()] on the device of `options`, rounded to its type.
inline at::Tensor constants(const std::vector<double>& values, const at::TensorOptions& options) {
  if (values.empty()) {
    return at::empty({0}, options);
  }
  if (std::ranges::all_of(values, [&](double value) { return value == values[0]; })) {
    return at::full({static_cast<int64_t>(values.size())}, values[0], options);
  }
  std::vector<at::Tensor> scalars;
  for (const double value : values) {
    scalars.push_back(at::full({1}, value, options));
  }
  return at::cat(scalars);
}

} // namespace mneme::ops
