// SPDX-License-Identifier: MIT

#include "mneme/theory/original_circle_intersection.h"

#include <cmath>
#include <numbers>

#include "mneme/theory/circle_intersection.h"
#include "theory/arguments.h"

namespace mneme::theory {
namespace {

constexpr int64_t kDoubleBitsMax = 1023; // 2^1023 is a finite double

/// C(items, chosen) in doubles as in the published code; 0 unless 0 <= chosen <= items.
double binomial(int64_t items, int64_t chosen) {
  if (chosen < 0 || chosen > items) {
    return 0;
  }
  double result = 1;
  for (int64_t i = 1; i <= std::min(chosen, items - chosen); ++i) {
    result *= static_cast<double>(items - i + 1) / static_cast<double>(i);
  }
  return result;
}

void check(const char* where, int64_t bits, int64_t hamming_radius, int64_t distance,
           std::optional<double> log_hard_locations) {
  check_bits(where, bits, 1, kDoubleBitsMax);
  check_radius(where, bits, hamming_radius);
  check_distance(where, bits, distance);
  if (log_hard_locations) {
    check_log_hard_locations(where, *log_hard_locations);
  }
}

} // namespace

double original_lune_intersection(int64_t bits, int64_t hamming_radius, int64_t distance,
                                  std::optional<double> log_hard_locations) {
  check("mneme::theory::original_lune_intersection", bits, hamming_radius, distance, log_hard_locations);
  double circle = 0, lunes = 0;
  for (int64_t i = 0; i <= hamming_radius; ++i) {
    circle += binomial(bits, i);
  }
  for (int64_t j = 1; j <= distance; j += 2) {
    lunes += binomial(j - 1, (j - 1) / 2) * binomial(bits - j, hamming_radius - (j - 1) / 2);
  }
  const double log_density =
      log_hard_locations ? *log_hard_locations - static_cast<double>(bits) * std::numbers::ln2 : 0;
  return circle > lunes ? std::exp(std::log(circle - lunes) + log_density) : 0;
}

double original_interpretable_intersection(int64_t bits, int64_t hamming_radius, int64_t distance,
                                           std::optional<double> log_hard_locations) {
  check("mneme::theory::original_interpretable_intersection", bits, hamming_radius, distance,
        log_hard_locations);
  return std::exp(log_circle_intersection(bits, hamming_radius, distance) -
                  static_cast<double>(bits) * std::numbers::ln2 + log_hard_locations.value_or(0));
}

} // namespace mneme::theory
