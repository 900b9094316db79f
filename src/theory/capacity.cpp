// SPDX-License-Identifier: MIT

#include "mneme/theory/capacity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/theory/space_fraction.h"
#include "theory/arguments.h"
#include "theory/best_radius.h"
#include "theory/normal.h"

namespace mneme::theory {
namespace {

void check_z(const char* where, double z) {
  constexpr double kMin = 1e-20, kMax = 1e20; // fourth powers times a count neither overflow nor underflow
  if (!(std::abs(z) >= kMin && std::abs(z) <= kMax)) {
    throw UsageError(fmt::format("{}: z is {}, but its absolute value must be between {:g} and {:g}.", where,
                                 z, kMin, kMax));
  }
}

} // namespace

double z_per_bit(int64_t bits, double probability) {
  const char* where = "mneme::theory::z_per_bit";
  check_bits(where, bits, 1, kBitsMax);
  if (!(probability > 0 && probability < 1)) {
    throw UsageError(
        fmt::format("{}: the probability is {}, but it must be above 0 and below 1.", where, probability));
  }
  const double log_per_bit = std::log(probability) / static_cast<double>(bits);
  return log_per_bit < -std::numbers::ln2 ? -normal_upper_quantile(std::exp(log_per_bit))
                                          : normal_upper_quantile(-std::expm1(log_per_bit));
}

double capacity(double space_fraction, double hard_locations, double z) {
  const char* where = "mneme::theory::capacity";
  if (!(space_fraction > 0 && space_fraction <= 1)) {
    throw UsageError(fmt::format("{}: space_fraction is {}, but it must be above 0 and at most 1.", where,
                                 space_fraction));
  }
  check_count(where, "hard_locations", hard_locations);
  check_z(where, z);
  // Numerator and denominator divided by p r: with k = p r activated locations, k / z^2 - 1 and p (1 + p k).
  const double activated = space_fraction * hard_locations;
  return (activated / (z * z) - 1) / (space_fraction * (1 + space_fraction * activated)) + 1;
}

double capacity_space_fraction(double hard_locations, double z) {
  const char* where = "mneme::theory::capacity_space_fraction";
  check_count(where, "hard_locations", hard_locations);
  check_z(where, z);
  // With x = r p / z^2 and s = r / z^4 the cubic is 2 x^3 - 3 x^2 - s = 0. Its root is between
  // max(3/2, (s/2)^(1/3)) and 3/2 + (s/2)^(1/3); Newton's method converges monotonically from above.
  const double s = hard_locations / std::pow(z, 4);
  double x = 1.5 + std::cbrt(s / 2);
  for (double step = x; step > 1e-16 * x;) {
    step = ((x - 1.5) * x - s / (2 * x)) / (3 * (x - 1)); // cubic / derivative, both divided by 2 x
    x -= step;
  }
  return std::min(1.0, x * z * z / hard_locations);
}

int64_t hamming_radius_for_capacity(int64_t bits, double hard_locations, double probability) {
  return hamming_radius_for_space_fraction(
      bits, capacity_space_fraction(hard_locations, z_per_bit(bits, probability)));
}

int64_t best_hamming_radius_for_capacity(int64_t bits, double hard_locations, double probability) {
  const double z = z_per_bit(bits, probability);
  return climb_to_best_radius(hamming_radius_for_capacity(bits, hard_locations, probability), bits,
                              [&](int64_t radius) {
                                const double fraction = space_fraction(bits, radius);
                                return fraction > 0 ? capacity(fraction, hard_locations, z)
                                                    : -std::numeric_limits<double>::infinity();
                              });
}

double dyadic_memory_capacity(int64_t bits, int64_t ones) {
  const char* where = "mneme::theory::dyadic_memory_capacity";
  check_bits(where, bits, 2, kBitsMax);
  if (ones < 2 || ones > bits) {
    throw UsageError(fmt::format("{}: ones is {}, but must be in 2 .. {} (bits).", where, ones, bits));
  }
  return std::pow(static_cast<double>(bits) / static_cast<double>(ones), 3) / 2;
}

} // namespace mneme::theory
