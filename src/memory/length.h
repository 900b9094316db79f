// SPDX-License-Identifier: MIT

/// Euclidean norm of a pattern, computed without overflow or underflow of the squares.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

namespace mneme {

/// Norm = divisor * root; the divisor is 1 unless squares could overflow or underflow.
struct Length {
  double divisor = 1, root = 0;

  explicit Length(std::span<const double> pattern) {
    double max_abs = 0;
    for (const double x : pattern) {
      max_abs = std::max(max_abs, std::abs(x));
    }
    constexpr double kSafe = 1e100;
    if (max_abs > kSafe || (max_abs > 0 && max_abs < 1 / kSafe)) {
      divisor = max_abs;
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

  double value() const { return divisor * root; } ///< infinite if the norm itself overflows
};

} // namespace mneme
