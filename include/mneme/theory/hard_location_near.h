// SPDX-License-Identifier: MIT

/// Probability that an address has a hard location nearby.
#pragma once

#include <cstdint>

namespace mneme::theory {

/// Probability that at least one of r random hard locations is within `hamming_radius` of an address:
/// 1 - (1 - p)^r, p the space fraction. Their expected number is r p.
///
/// Errors  UsageError for parameters outside the ranges of `SdmParameters`
double probability_of_hard_location_near(int64_t bits, double hard_locations, int64_t hamming_radius);

/// Smallest radius at which that probability is at least `probability`; exact even for probabilities close to
/// 1. Probability 1 requires the entire space, radius `bits`.
///
/// Errors  UsageError unless 0 < probability <= 1; as above
int64_t hamming_radius_for_hard_location_near(int64_t bits, double hard_locations, double probability);

/// Published approximation: normal distribution without continuity correction, Poisson instead of binomial.
struct PublishedHardLocationNear {
  double expected = 0;    ///< number of locations within the radius: r Phi((d - n/2) / sqrt(n/4))
  double probability = 0; ///< of at least one: 1 - exp(-expected)
};
/// Errors  UsageError as above
PublishedHardLocationNear published_hard_location_near(int64_t bits, double hard_locations,
                                                       int64_t hamming_radius);

/// Distance of the nearest hard location in the published approximation: n/2 + sqrt(n/4) Phi^-1(1/r), not an
/// integer.
///
/// Errors  UsageError as above, and if hard_locations is 1 (Phi^-1(1) is infinite)
double published_nearest_hard_location(int64_t bits, double hard_locations);

} // namespace mneme::theory
