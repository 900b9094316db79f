// SPDX-License-Identifier: MIT

#include "mneme/theory/hard_location_near.h"

#include <cmath>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/theory/space_fraction.h"
#include "theory/arguments.h"
#include "theory/normal.h"

namespace mneme::theory {
namespace {

void check(const char* where, int64_t bits, double hard_locations, int64_t hamming_radius) {
  check_bits(where, bits, 1, kBitsMax);
  check_radius(where, bits, hamming_radius);
  check_count(where, "hard_locations", hard_locations);
}

} // namespace

double probability_of_hard_location_near(int64_t bits, double hard_locations, int64_t hamming_radius) {
  check("mneme::theory::probability_of_hard_location_near", bits, hard_locations, hamming_radius);
  return -std::expm1(hard_locations * std::log1p(-space_fraction(bits, hamming_radius)));
}

int64_t hamming_radius_for_hard_location_near(int64_t bits, double hard_locations, double probability) {
  const char* where = "mneme::theory::hamming_radius_for_hard_location_near";
  check(where, bits, hard_locations, 0);
  if (!(probability > 0 && probability <= 1)) {
    throw UsageError(
        fmt::format("{}: the probability is {}, but it must be above 0 and at most 1.", where, probability));
  }
  // Binary search by the logarithm of the probability that no location is within the radius, which is precise
  // even for probabilities close to 1. The space outside a circle of radius d has the size of a circle of
  // radius n - d - 1.
  const double log_none_max = std::log1p(-probability); // -inf for 1, which requires the entire space
  int64_t too_small = -1, sufficient = bits;
  while (sufficient - too_small > 1) {
    const int64_t middle = too_small + (sufficient - too_small) / 2;
    const double log_none = hard_locations * log_space_fraction(bits, bits - middle - 1);
    if (log_none > log_none_max) {
      too_small = middle;
    } else {
      sufficient = middle;
    }
  }
  return sufficient;
}

PublishedHardLocationNear published_hard_location_near(int64_t bits, double hard_locations,
                                                       int64_t hamming_radius) {
  check("mneme::theory::published_hard_location_near", bits, hard_locations, hamming_radius);
  const double z = static_cast<double>(2 * hamming_radius - bits) / std::sqrt(static_cast<double>(bits));
  const double expected = hard_locations * normal_cdf(z);
  return {.expected = expected, .probability = -std::expm1(-expected)};
}

double published_nearest_hard_location(int64_t bits, double hard_locations) {
  const char* where = "mneme::theory::published_nearest_hard_location";
  check(where, bits, hard_locations, 0);
  if (hard_locations == 1) {
    throw UsageError(fmt::format("{}: hard_locations is 1, but it must be above 1.", where));
  }
  const auto n = static_cast<double>(bits);
  return n / 2 + std::sqrt(n / 4) * normal_quantile(1 / hard_locations);
}

} // namespace mneme::theory
