// SPDX-License-Identifier: MIT

#include "mneme/theory/weighted_intersection.h"

#include <algorithm>
#include <cmath>

#include "theory/arguments.h"
#include "theory/scaled.h"

namespace mneme::theory {
namespace {

constexpr long double kExponentialRate = 0.01L; // of the published weight, per differing bit

/// Sums of C(v, c) and of C(v, c) c (v - c) over the c inside both circles.
struct InnerSums {
  Scaled ones, products;

  void add(const Scaled& binomial, int64_t c, int64_t distance) {
    ones += binomial;
    Scaled product = binomial;
    product *= static_cast<long double>(c) * static_cast<long double>(distance - c);
    products += product;
  }
};

/// Sum over c of C(v, c) ((a + c) / n) ((a + v - c) / n), by (a + c)(a + v - c) = a (a + v) + c (v - c).
Scaled linear(const InnerSums& inner, int64_t bits, int64_t distance, int64_t a) {
  Scaled sum = inner.ones;
  sum *= static_cast<long double>(a) * static_cast<long double>(a + distance);
  sum += inner.products;
  sum *= 1 / (static_cast<long double>(bits) * static_cast<long double>(bits));
  return sum;
}

} // namespace

double log_weighted_intersection(int64_t bits, int64_t hamming_radius, int64_t distance,
                                 AddressWeight weight) {
  const char* where = "mneme::theory::log_weighted_intersection";
  check_bits(where, bits, 1, kBitsMax);
  check_radius(where, bits, hamming_radius);
  check_distance(where, bits, distance);

  const int64_t agreeing = bits - distance;
  const int64_t half = distance / 2;
  const int64_t first = std::max<int64_t>(0, bits - hamming_radius - half);
  if (first > agreeing) {
    return static_cast<double>(Scaled().log());
  }
  // When a increases by 1, the range of c grows by 1 at both ends, from its middle until it is 0 .. v.
  Scaled outer = scaled_binomial(agreeing, first), low = scaled_binomial(distance, half), high = low;
  int64_t c_low = half, c_high = half;
  InnerSums inner;
  inner.add(low, half, distance);
  const auto widen_to = [&](int64_t c_first) {
    while (c_low > c_first) {
      low *= static_cast<long double>(c_low) / static_cast<long double>(distance - c_low + 1);
      inner.add(low, --c_low, distance);
    }
    while (c_high < distance - c_first) {
      high *= static_cast<long double>(distance - c_high) / static_cast<long double>(c_high + 1);
      inner.add(high, ++c_high, distance);
    }
  };

  // The exponential weight is exp(-0.01 (2 n - 2 a - v)), independent of c: a constant factor per step of a.
  const bool exponential = weight == AddressWeight::exponential;
  const long double factor = exponential ? std::exp(2 * kExponentialRate) : 1;
  const long double log_first_weight =
      exponential ? -kExponentialRate * static_cast<long double>(2 * (bits - first) - distance) : 0;
  Scaled sum;
  for (int64_t a = first; a <= agreeing; ++a) {
    widen_to(std::max<int64_t>(0, bits - hamming_radius - a));
    Scaled term = outer;
    term *= weight == AddressWeight::linear ? linear(inner, bits, distance, a) : inner.ones;
    sum += term;
    outer *= factor * static_cast<long double>(agreeing - a) / static_cast<long double>(a + 1);
  }
  return static_cast<double>(sum.log() + log_first_weight);
}

} // namespace mneme::theory
