// SPDX-License-Identifier: MIT

/// What is proven about modern Hopfield networks: when a stored pattern is kept, how near one update comes, and
/// how many random patterns can be stored.
///
/// N patterns in R^d, M the largest norm, Delta_i = x_i . x_i - max over j != i of x_i . x_j the gap of a pattern.
/// Errors  UsageError unless beta > 0, num_stored >= 1, largest_norm > 0, distances >= 0; all finite
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need", theorems 3 to 5 and their appendix
#pragma once

#include <cstdint>

namespace mneme::theory {

struct HopfieldNetwork {
  double beta = 1;         ///< inverse temperature
  double num_stored = 1;   ///< N
  double largest_norm = 1; ///< M
};

/// No state of the patterns' convex hull has more energy: 2 M^2.
double hopfield_energy_max(const HopfieldNetwork& network);

/// The gap from which on a pattern is well separated: 2 / (beta N) + ln(2 (N-1) N beta M^2) / beta. Within
/// `fixed_point_radius` of it there is then exactly one fixed point, to which all states of that ball go.
/// -infinity with a single pattern.
double hopfield_gap_needed(const HopfieldNetwork& network);
/// 1 / (beta N M).
double hopfield_fixed_point_radius(const HopfieldNetwork& network);

/// How far one update of a state leaves it from its pattern, at most: 2 (N-1) M exp(-beta (Delta - 2 r M)), where r
/// is the larger distance from the pattern of the state and of the fixed point.
double hopfield_retrieval_error_max(const HopfieldNetwork& network, double gap, double distance);
/// By which factor one update brings a state nearer to the fixed point, at most: 2 beta N (N-1) M^2 exp(-beta
/// (Delta - 2 r M)).
double hopfield_contraction_max(const HopfieldNetwork& network, double gap, double distance);
/// Distance between pattern and fixed point, at most: 2 e (N-1) M exp(-beta Delta); holds where that and the
/// state's distance are at most 1 / (2 beta M).
double hopfield_fixed_point_error_max(const HopfieldNetwork& network, double gap);

/// True where there can be but one fixed point, near the mean of all patterns: beta m^2 < 1, m the largest distance
/// of a pattern from the mean. Sufficient, not necessary.
///
/// Derivation  the update's Jacobian is beta times the covariance of the patterns under the weights, which is at
///             most m^2: below 1 the update is a contraction
bool hopfield_has_one_fixed_point(double beta, double largest_distance_from_mean);

struct HopfieldCapacityQuestion {
  int64_t size = 75;        ///< d >= 2; patterns are uniform on the sphere of radius K sqrt(d - 1)
  double radius_factor = 1; ///< K > 0
  double beta = 1;          ///< > 0
  double failure = 0.001;   ///< p: how likely a draw of patterns may be one that is not stored, in (0, 1)
};

struct HopfieldCapacity {
  double a = 0, b = 0;       ///< a = 2 / (d-1) (1 + ln(2 beta K^2 p (d-1))), b = 2 K^2 beta / 5
  double c = 0;              ///< b / W(exp(a + ln b)), W Lambert's function
  double c_needed = 0;       ///< (2 / sqrt(p))^(4 / (d-1)): below it the theorem says nothing
  double log_num_stored = 0; ///< ln(sqrt(p) c^((d-1)/4)): so many patterns at least

  bool holds() const { return c >= c_needed; }
  double slope() const; ///< of log_num_stored over d with c kept: ln(c) / 4
};

/// Theorem 3: capacity grows exponentially with d.
HopfieldCapacity hopfield_capacity(const HopfieldCapacityQuestion& question);

/// By how much the logarithm of the number of such patterns that one update can tell apart grows with each
/// dimension, for large d: a rate, where theorem 3 guarantees a lower one.
///
/// Formula     lambda (1 - t) - ln(1 - t^2) / 2, lambda = beta K^2, t = (sqrt(1 + 4 lambda^2) - 1) / (2 lambda)
/// Derivation  a cosine of t to a random pattern is as rare as (1 - t^2)^(d/2), and weighs exp(lambda d (t - 1)) of
///             the right pattern; t is where weight times number is largest. The sum over N patterns reaches the
///             right one's weight at the N given. Patterns with that cosine are then among them, since N is larger
///             than (1 - t^2)^(-d/2)
double hopfield_capacity_growth(double beta, double radius_factor);

} // namespace mneme::theory
