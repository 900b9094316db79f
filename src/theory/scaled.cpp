// SPDX-License-Identifier: MIT

#include "theory/scaled.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace mneme::theory {

Scaled::Scaled(long double value, int64_t exponent) : mantissa_(value), exponent_(exponent) {
  normalise();
}

void Scaled::normalise() {
  int shift = 0;
  mantissa_ = std::frexp(mantissa_, &shift);
  exponent_ = mantissa_ == 0 ? 0 : exponent_ + shift;
}

Scaled& Scaled::operator*=(long double factor) {
  mantissa_ *= factor;
  normalise();
  return *this;
}

Scaled& Scaled::operator*=(const Scaled& factor) {
  mantissa_ *= factor.mantissa_;
  exponent_ += factor.exponent_;
  normalise();
  return *this;
}

Scaled& Scaled::operator+=(const Scaled& other) {
  if (other.is_zero()) {
    return *this;
  }
  if (is_zero()) {
    return *this = other;
  }
  const int64_t top = std::max(exponent_, other.exponent_);
  mantissa_ = times_power_of_two(-top) + other.times_power_of_two(-top);
  exponent_ = top;
  normalise();
  return *this;
}

long double Scaled::log() const {
  if (is_zero()) {
    return -std::numeric_limits<long double>::infinity();
  }
  // Mantissa in [1, 2), so that the logarithm of 1 is exactly 0.
  return std::log(2 * mantissa_) + static_cast<long double>(exponent_ - 1) * std::numbers::ln2_v<long double>;
}

long double Scaled::times_power_of_two(int64_t exponent) const {
  constexpr int64_t kFar = 100'000; // beyond the exponents of all floating-point types
  return std::ldexp(mantissa_, static_cast<int>(std::clamp(exponent_ + exponent, -kFar, kFar)));
}

Scaled scaled_binomial(int64_t items, int64_t chosen) {
  if (chosen < 0 || chosen > items) {
    return Scaled();
  }
  const int64_t fewer = std::min(chosen, items - chosen);
  Scaled result(1);
  for (int64_t i = 1; i <= fewer; ++i) {
    result *= static_cast<long double>(items - fewer + i) / static_cast<long double>(i);
  }
  return result;
}

Scaled scaled_binomial_sum(int64_t items, int64_t last) {
  if (last < 0) {
    return Scaled();
  }
  Scaled term(1), sum(1);
  for (int64_t k = 1; k <= last; ++k) {
    term *= static_cast<long double>(items - k + 1) / static_cast<long double>(k);
    sum += term;
  }
  return sum;
}

} // namespace mneme::theory
