// SPDX-License-Identifier: MIT

/// Floating-point numbers with a 64-bit exponent, for sums of counts up to 2^(10^7) without logarithms.
#pragma once

#include <cstdint>

namespace mneme::theory {

/// Non-negative number mantissa * 2^exponent, the mantissa in [0.5, 1) or 0. Each operation has the rounding
/// error of one operation in long double.
class Scaled {
public:
  Scaled() = default;
  explicit Scaled(long double value, int64_t exponent = 0);

  Scaled& operator*=(long double factor);
  Scaled& operator*=(const Scaled& factor);
  Scaled& operator+=(const Scaled& other);
  bool is_zero() const { return mantissa_ == 0; }

  /// Natural logarithm; -infinity for 0.
  long double log() const;
  /// This number times 2^exponent.
  long double times_power_of_two(int64_t exponent) const;

private:
  void normalise();
  long double mantissa_ = 0;
  int64_t exponent_ = 0;
};

/// C(items, chosen); 0 unless 0 <= chosen <= items.
Scaled scaled_binomial(int64_t items, int64_t chosen);

/// Sum of C(items, k) over k in [0, last]; 0 where last < 0. Requires last <= items.
Scaled scaled_binomial_sum(int64_t items, int64_t last);

} // namespace mneme::theory
