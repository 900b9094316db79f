// SPDX-License-Identifier: MIT

#include "mneme/theory/space_fraction.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "theory/arguments.h"
#include "theory/scaled.h"

namespace mneme::theory {
namespace {

void check(const char* where, int64_t bits, int64_t hamming_radius) {
  check_bits(where, bits, 1, kBitsMax);
  check_radius(where, bits, hamming_radius);
}

/// Fraction of the space outside the circle, summed directly to avoid cancellation.
long double outside(int64_t bits, int64_t hamming_radius) {
  return scaled_binomial_sum(bits, bits - hamming_radius - 1).times_power_of_two(-bits);
}

} // namespace

double space_fraction(int64_t bits, int64_t hamming_radius) {
  check("mneme::theory::space_fraction", bits, hamming_radius);
  if (2 * hamming_radius > bits) {
    return static_cast<double>(1 - outside(bits, hamming_radius));
  }
  return static_cast<double>(scaled_binomial_sum(bits, hamming_radius).times_power_of_two(-bits));
}

double log_space_fraction(int64_t bits, int64_t hamming_radius) {
  check("mneme::theory::log_space_fraction", bits, hamming_radius);
  if (2 * hamming_radius > bits) {
    return static_cast<double>(std::log1p(-outside(bits, hamming_radius)));
  }
  const Scaled sum = scaled_binomial_sum(bits, hamming_radius);
  return static_cast<double>(sum.log() - static_cast<long double>(bits) * std::log(2.0L));
}

int64_t hamming_radius_for_space_fraction(int64_t bits, double fraction) {
  const char* where = "mneme::theory::hamming_radius_for_space_fraction";
  check_bits(where, bits, 1, kBitsMax);
  if (!(fraction > 0 && fraction <= 1)) {
    throw UsageError(
        fmt::format("{}: the fraction is {}, but it must be above 0 and at most 1.", where, fraction));
  }
  if (fraction == 1) {
    return bits; // fractions of smaller radii may round to 1
  }
  Scaled term(1, -bits), sum = term;
  int64_t radius = 0;
  while (radius < bits && sum.times_power_of_two(0) < static_cast<long double>(fraction)) {
    term *= static_cast<long double>(bits - radius) / static_cast<long double>(radius + 1);
    sum += term;
    ++radius;
  }
  // Corrects for rounding errors of the sum, so that this is the exact inverse of space_fraction.
  while (radius > 0 && space_fraction(bits, radius - 1) >= fraction) {
    --radius;
  }
  while (radius < bits && space_fraction(bits, radius) < fraction) {
    ++radius;
  }
  return radius;
}

double hamming_to_cosine(int64_t bits, int64_t distance) {
  const char* where = "mneme::theory::hamming_to_cosine";
  check_bits(where, bits, 1, std::numeric_limits<int64_t>::max());
  check_distance(where, bits, distance);
  return 1 - 2 * static_cast<double>(distance) / static_cast<double>(bits);
}

int64_t cosine_to_hamming(int64_t bits, double cosine) {
  const char* where = "mneme::theory::cosine_to_hamming";
  check_bits(where, bits, 1, int64_t{1} << 52);
  const double distance = static_cast<double>(bits) * (1 - checked_cosine(where, cosine)) / 2;
  const double nearest = std::round(distance);
  const double rounding = 4 * std::numeric_limits<double>::epsilon() * static_cast<double>(bits);
  return static_cast<int64_t>(std::abs(distance - nearest) <= rounding ? nearest : std::floor(distance));
}

double signal_to_noise_space_fraction(double patterns, double hard_locations) {
  if (!(patterns >= 1 && std::isfinite(patterns) && hard_locations >= 1 && std::isfinite(hard_locations))) {
    throw UsageError(fmt::format("mneme::theory::signal_to_noise_space_fraction: patterns is {} and "
                                 "hard_locations is {}, but both must be at least 1 and finite.",
                                 patterns, hard_locations));
  }
  // Two roots instead of one, because the product may overflow.
  return 1 / (std::cbrt(2 * patterns) * std::cbrt(hard_locations));
}

int64_t hamming_radius_for_signal_to_noise(int64_t bits, double patterns, double hard_locations) {
  return hamming_radius_for_space_fraction(bits, signal_to_noise_space_fraction(patterns, hard_locations));
}

} // namespace mneme::theory
