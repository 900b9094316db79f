// SPDX-License-Identifier: MIT

/// Numbers of the host on a device, without a copy from the host: such a copy makes the host wait for the device.
#pragma once

#include <algorithm>
#include <vector>

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

namespace mneme::ops {

/// [number of values], each rounded to the type of `options`.
inline at::Tensor constants(const std::vector<double>& values, const at::TensorOptions& options) {
  if (values.empty()) {
    return at::empty({0}, options);
  }
  if (std::ranges::all_of(values, [&](double value) { return value == values[0]; })) {
    return at::full({static_cast<int64_t>(values.size())}, values[0], options);
  }
  std::vector<at::Tensor> parts;
  for (const double value : values) {
    parts.push_back(at::full({1}, value, options));
  }
  return at::cat(parts);
}

} // namespace mneme::ops
