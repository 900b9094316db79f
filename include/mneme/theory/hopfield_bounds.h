// SPDX-License-Identifier: MIT

/// Proven bounds for modern Hopfield networks: storage of a pattern, retrieval error of one update, and the
/// number of random patterns that can be stored.
///
/// There are N patterns x_i in R^d. M is their largest norm; the gap of a pattern (its separation from the
/// others) is Delta_i = x_i . x_i - max over j != i of x_i . x_j.
/// Errors  UsageError unless beta > 0, num_stored >= 1, max_norm > 0, distances >= 0; all finite
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need", theorems 3 to 5 and their appendix
#pragma once

#include <cstdint>

namespace mneme::theory {

struct HopfieldNetwork {
  double beta = 1;       ///< inverse temperature
  double num_stored = 1; ///< N
  double max_norm = 1;   ///< M
};

/// Upper bound of the energy in the convex hull of the patterns: 2 M^2.
double hopfield_energy_max(const HopfieldNetwork& network);

/// Smallest gap of a well separated pattern: 2 / (beta N) + ln(2 (N-1) N beta M^2) / beta; -infinity for a
/// single pattern. The ball of radius `hopfield_fixed_point_radius` around such a pattern contains exactly
/// one fixed point, and all states in the ball converge to it.
double hopfield_min_gap(const HopfieldNetwork& network);
/// Radius of that ball: 1 / (beta N M).
double hopfield_fixed_point_radius(const HopfieldNetwork& network);

/// Upper bound of the distance from a pattern after one update: 2 (N-1) M exp(-beta (Delta - 2 r M)), where
/// r = `distance` is the larger of the distances of the state and of the fixed point from the pattern.
double hopfield_retrieval_error_max(const HopfieldNetwork& network, double gap, double distance);
/// Upper bound of the factor by which one update changes the distance from the fixed point:
/// 2 beta N (N-1) M^2 exp(-beta (Delta - 2 r M)).
double hopfield_contraction_max(const HopfieldNetwork& network, double gap, double distance);
/// Upper bound of the distance between a pattern and its fixed point: 2 e (N-1) M exp(-beta Delta). Valid
/// where the bound and the distance of the state are at most 1 / (2 beta M).
double hopfield_fixed_point_error_max(const HopfieldNetwork& network, double gap);

/// True if there is certainly only one fixed point, near the mean of all patterns: beta m^2 < 1, m the
/// largest distance of a pattern from the mean. The condition is sufficient, not necessary.
///
/// Derivation  the Jacobian of an update is beta times the covariance of the patterns under the weights,
///             whose norm is at most m^2; below 1 the update is a contraction
bool hopfield_has_unique_fixed_point(double beta, double max_distance_from_mean);

struct HopfieldCapacityParameters {
  int64_t size = 75;        ///< d >= 2; patterns are uniform on the sphere of radius K sqrt(d - 1)
  double radius_factor = 1; ///< K > 0
  double beta = 1;          ///< > 0
  /// p, the maximum probability that random patterns are not stored, in (0, 1).
  double failure_probability = 0.001;
};

struct HopfieldCapacity {
  double a = 0, b = 0;       ///< a = 2 / (d-1) (1 + ln(2 beta K^2 p (d-1))), b = 2 K^2 beta / 5
  double c = 0;              ///< b / W(exp(a + ln b)), W Lambert's function
  double c_min = 0;          ///< (2 / sqrt(p))^(4 / (d-1)): the theorem requires c >= c_min
  double log_num_stored = 0; ///< logarithm of the guaranteed number of patterns: ln(sqrt(p) c^((d-1)/4))

  bool applies() const { return c >= c_min; } ///< condition of the theorem
  double growth_rate() const;                 ///< of log_num_stored per dimension for constant c: ln(c) / 4
};

/// Capacity by theorem 3, which grows exponentially with d.
HopfieldCapacity hopfield_capacity(const HopfieldCapacityParameters& parameters);

/// Growth per dimension of the logarithm of the number of random patterns that one update can separate, for
/// large d; theorem 3 guarantees a lower rate.
///
/// Formula     lambda (1 - t) - ln(1 - t^2) / 2, with lambda = beta K^2 and
///             t = (sqrt(1 + 4 lambda^2) - 1) / (2 lambda)
/// Derivation  a random pattern has the cosine t with a probability of order (1 - t^2)^(d/2), and then the
///             weight exp(lambda d (t - 1)) relative to the correct pattern; t maximises the product. At the
///             resulting N the sum of the weights of N patterns equals that of the correct one. N is larger
///             than (1 - t^2)^(-d/2), so that there are patterns with this cosine
double hopfield_capacity_growth(double beta, double radius_factor);

} // namespace mneme::theory
