// SPDX-License-Identifier: MIT

/// Normal random numbers for tests of kernels.
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/random.h"

namespace mneme::kernels {

template <class T> std::vector<T> normals(uint64_t stream, int64_t count) {
  Random random = Random(29).stream(stream);
  std::vector<T> numbers(static_cast<size_t>(count));
  for (T& x : numbers) {
    x = static_cast<T>(random.normal());
  }
  return numbers;
}

} // namespace mneme::kernels
