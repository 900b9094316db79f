// SPDX-License-Identifier: MIT

/// Euclidean length of a pattern, also where squares leave the range of doubles.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

namespace mneme {

/// The length is divisor * root; the divisor is 1 where squares neither overflow nor underflow.
struct Length {
  double divisor = 1, root = 0;

  explicit Length(std::span<const double> pattern) {
    double largest = 0;
    for (const double x : pattern) {
      largest = std::max(largest, std::abs(x));
    }
    constexpr double kSafe = 1e100;
    if (largest > kSafe || (largest > 0 && largest < 1 / kSafe)) {
      divisor = largest;
    }
    double squares = 0;
    if (divisor == 1) {
      for (const double x : pattern) {
        squares += x * x;
      }
    } else {
      for (const double x : pattern) {
        squares += (x / divisor) * (x / divisor);
      }
    }
    root = std::sqrt(squares);
  }

  double value() const { return divisor * root; } ///< infinite where the length itself overflows
};

} // namespace mneme
