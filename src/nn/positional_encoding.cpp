// SPDX-License-Identifier: MIT

#include "mneme/nn/positional_encoding.h"

#include <cmath>

#include <ATen/ops/empty.h>

#include "nn/checks.h"

namespace mneme::nn {

at::Tensor sinusoidal_positions(int64_t length, int64_t size) {
  check_sizes("sinusoidal_positions", {{"length", length}, {"size", size}});
  constexpr double kBase = 10000; // ratio of the highest to the lowest frequency
  const double even_size = static_cast<double>(size + size % 2);
  at::Tensor positions = at::empty({length, size}, at::kDouble);
  auto* numbers = positions.mutable_data_ptr<double>();
  for (int64_t position = 0; position < length; ++position) {
    for (int64_t feature = 0; feature < size; ++feature) {
      const double frequency = std::pow(kBase, -static_cast<double>(feature - feature % 2) / even_size);
      const double angle = static_cast<double>(position) * frequency;
      numbers[position * size + feature] = feature % 2 == 0 ? std::sin(angle) : std::cos(angle);
    }
  }
  return positions;
}

} // namespace mneme::nn
