// SPDX-License-Identifier: MIT

#include "mneme/core/finite.h"

#include <algorithm>
#include <cstddef>

namespace mneme {
namespace {

/// x - x is 0 for finite x and NaN otherwise, so the sum of all x - x is 0 only if all x are finite. Sixteen
/// independent sums hide the latency of the additions.
template <class T> bool are_finite(const T* numbers, size_t count) {
  constexpr size_t kSums = 16;
  T sums[kSums] = {};
  size_t i = 0;
  for (; i + kSums <= count; i += kSums) {
#pragma GCC unroll 16
    for (size_t k = 0; k < kSums; ++k) {
      sums[k] += numbers[i + k] - numbers[i + k];
    }
  }
  for (; i < count; ++i) {
    sums[0] += numbers[i] - numbers[i];
  }
  return std::ranges::all_of(sums, [](T sum) { return sum == 0; });
}

} // namespace

bool all_finite(std::span<const float> numbers) {
  return are_finite(numbers.data(), numbers.size());
}
bool all_finite(std::span<const double> numbers) {
  return are_finite(numbers.data(), numbers.size());
}

} // namespace mneme
