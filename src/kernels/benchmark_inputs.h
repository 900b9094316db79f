// SPDX-License-Identifier: MIT

/// Random inputs for the kernel benchmarks.
#pragma once

#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "mneme/core/random.h"

namespace mneme::kernels {

inline std::vector<uint64_t> random_words(uint64_t stream, int64_t count) {
  Random random = Random(1).stream(stream);
  std::vector<uint64_t> words(static_cast<size_t>(count));
  for (uint64_t& word : words) {
    word = random.next();
  }
  return words;
}

template <class T> std::vector<T> random_numbers(uint64_t stream, int64_t count) {
  Random random = Random(1).stream(stream);
  std::vector<T> numbers(static_cast<size_t>(count));
  for (T& x : numbers) {
    x = static_cast<T>(random.uniform() - 0.5);
  }
  return numbers;
}

} // namespace mneme::kernels
