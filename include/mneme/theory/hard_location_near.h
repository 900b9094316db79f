// SPDX-License-Identifier: MIT

/// Whether a random address has any hard location near it.
#pragma once

#include <cstdint>

namespace mneme::theory {

/// Probability that at least one of the random hard locations lies within `hamming_radius` of an address:
/// 1 - (1 - p)^r, p the space fraction. The expected number of them is r p.
///
/// Errors  UsageError as `SdmParameters` says
double probability_of_hard_location_near(int64_t bits, double hard_locations, int64_t hamming_radius);

/// The smallest radius at which that probability is at least `probability`, exact also where it is close to 1; only
/// the whole space, radius `bits`, has probability 1.
///
/// Errors  UsageError unless 0 < probability <= 1; as above
int64_t hamming_radius_for_hard_location_near(int64_t bits, double hard_locations, double probability);

/// The published rule: a normal distribution without continuity correction, and Poisson instead of binomial.
struct PublishedHardLocationNear {
  double expected = 0;    ///< r Phi((d - n/2) / sqrt(n/4))
  double probability = 0; ///< 1 - exp(-expected)
};
/// Errors  UsageError as above
PublishedHardLocationNear published_hard_location_near(int64_t bits, double hard_locations,
                                                       int64_t hamming_radius);

/// Where the published rule expects the first hard location: n/2 + sqrt(n/4) Phi^-1(1/r), not a whole number.
///
/// Errors  UsageError as above, and if hard_locations is 1 (Phi^-1(1) is infinite)
double published_nearest_hard_location(int64_t bits, double hard_locations);

} // namespace mneme::theory
