// SPDX-License-Identifier: MIT

/// Whether numbers are finite.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace mneme {

/// Whether no number is NaN or infinite.
///
/// x - x is 0 for finite x and NaN otherwise, so the sum of all x - x is 0 only if all x are finite. Sixteen
/// independent sums hide the latency of the additions, and fill vectors of every CPU target.
template <class T> bool all_finite(std::span<const T> numbers) {
  constexpr size_t kSums = 16;
  T sums[kSums] = {};
  size_t i = 0;
  for (; i + kSums <= numbers.size(); i += kSums) {
    for (size_t k = 0; k < kSums; ++k) {
      sums[k] += numbers[i + k] - numbers[i + k];
    }
  }
  for (; i < numbers.size(); ++i) {
    sums[0] += numbers[i] - numbers[i];
  }
  return std::ranges::all_of(sums, [](T sum) { return sum == 0; });
}

} // namespace mneme
