// SPDX-License-Identifier: MIT

/// Standard normal distribution, precise in its tails.
#pragma once

#include <cmath>
#include <numbers>

namespace mneme::theory {

/// Phi(x). The upper tail 1 - Phi(x) is normal_cdf(-x).
inline double normal_cdf(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}

/// Phi^-1(p). Requires 0 < p < 1.
double normal_quantile(double p);
/// Phi^-1(1 - q), precise even where 1 - q rounds to 1. Requires 0 < q < 1.
double normal_upper_quantile(double q);

} // namespace mneme::theory
