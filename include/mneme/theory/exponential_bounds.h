// SPDX-License-Identifier: MIT

/// Simple lower and upper bounds of the circle intersection, which show its approximately exponential decay,
/// and the published exponential forms.
///
/// All numbers are natural logarithms of fractions of the space, -infinity for 0.
#pragma once

#include <cstdint>

namespace mneme::theory {

/// Bounds of the fraction of the space in two circles, valid for every radius and distance.
struct IntersectionBounds {
  double log_max_term = 0;             ///< lower bound: largest term of the interpretable sum
  double log_max_term_times_count = 0; ///< upper bound: that times the number of terms
  double log_exponential = 0;          ///< upper bound: -(n-2d)^2 / (2 (n-v)), 0 for d > n/2
  int64_t terms = 0;                   ///< number of terms (a, c) of the sum
};

/// Formula log_exponential is Hoeffding's inequality: an address in both circles differs from the centres in
///         at most d - v/2 of the n - v bits on which they agree
/// Errors  UsageError unless 0 <= hamming_radius <= bits, 0 <= distance <= bits, 1 <= bits <= 10 000 000
IntersectionBounds intersection_bounds(int64_t bits, int64_t hamming_radius, int64_t distance);

/// Approximations of the published derivation. Despite their names the lower and upper forms are not bounds
/// of the intersection: they approximate its largest term, and are far above it for small radii.
struct PublishedExponentials {
  double log_first_term = 0;      ///< C(n-v, n-d-floor(v/2)) C(v, floor(v/2))
  double log_first_term_half = 0; ///< log_first_term with v/2 not rounded, binomials by the Gamma function
  double log_normal = 0;          ///< normal approximation of both factors of the first term
  double log_lower = 0;           ///< K(v) exp(-(n-2d)^2 / (2 (n-v))), K = 2 / (pi sqrt(v (n-v)))
  double log_upper = 0;           ///< log_lower form times the number of terms
  double log_taylor_lower = 0;    ///< K(v) exp(-(n-2d)^2 / 2n) exp(-(n-2d)^2 v / 2n^2)
  double log_taylor_upper = 0;    ///< log_taylor_lower form times the number of terms
  double log_taylor_constant_lower = 0; ///< Taylor form with the minimum of K, at v = n/2
  double log_taylor_constant_upper = 0; ///< Taylor form with the maximum of K, at v = 1
  int64_t terms = 0;                    ///< number of terms used in the upper forms
};

/// Number of terms used in the upper forms.
enum class TermCount {
  exact,
  published ///< one too few in every inner sum, so that the upper forms become 0 at too small distances
};

/// Errors  UsageError unless 1 <= distance <= bits - 1; bits and hamming_radius as above
/// Source  Bricken & Pehlevan 2021, appendix on the exponential approximation, and their published notebook
PublishedExponentials published_exponentials(int64_t bits, int64_t hamming_radius, int64_t distance,
                                             TermCount count = TermCount::exact);

/// Softmax beta (per unit of the cosine) that corresponds to the published exponent: (n-2d)^2 / 4n.
///
/// Errors  UsageError as above
double implied_beta(int64_t bits, int64_t hamming_radius);

} // namespace mneme::theory
