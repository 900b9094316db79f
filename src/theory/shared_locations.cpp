// SPDX-License-Identifier: MIT

#include "mneme/theory/shared_locations.h"

#include <cmath>
#include <numbers>

#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/space_fraction.h"
#include "theory/arguments.h"
#include "theory/scaled.h"

namespace mneme::theory {

SharedLocations shared_locations(int64_t bits, double hard_locations, int64_t hamming_radius) {
  const char* where = "mneme::theory::shared_locations";
  check_bits(where, bits, 1, kBitsMax);
  check_radius(where, bits, hamming_radius);
  check_count(where, "hard_locations", hard_locations);

  SharedLocations shared{.at_distance = log_circle_intersections(bits, hamming_radius)};
  const double log_density = std::log(hard_locations) - static_cast<double>(bits) * std::numbers::ln2;
  for (double& value : shared.at_distance) {
    value = std::exp(value + log_density);
  }

  Scaled binomial(1, -bits), mean_square; // binomial: probability of the distance v
  for (int64_t v = 0; v <= bits; ++v) {
    const auto lambda = static_cast<long double>(shared.at_distance[static_cast<size_t>(v)]);
    Scaled term = binomial;
    term *= lambda * lambda;
    mean_square += term;
    binomial *= static_cast<long double>(bits - v) / static_cast<long double>(v + 1);
  }
  shared.mean_square = static_cast<double>(mean_square.times_power_of_two(0));

  const double fraction = space_fraction(bits, hamming_radius);
  shared.mean = hard_locations * fraction * fraction;
  const auto aligned =
      static_cast<double>(scaled_binomial(bits - 1, hamming_radius).times_power_of_two(-bits));
  shared.alignment = hard_locations * aligned * aligned;
  return shared;
}

} // namespace mneme::theory
