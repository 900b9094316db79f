// SPDX-License-Identifier: MIT

/// Why circle intersections look exponential: simple terms that stay below and above them, and the published
/// exponential forms.
///
/// All numbers are natural logarithms of fractions of the space, -infinity for 0.
#pragma once

#include <cstdint>

namespace mneme::theory {

/// What bounds the fraction of the space in two circles, for every radius and distance.
struct IntersectionBounds {
  double log_largest_term = 0; ///< largest term of the interpretable sum: never above the intersection
  double log_all_largest = 0;  ///< that times the number of terms: never below
  double log_exponential = 0;  ///< -(n-2d)^2 / (2 (n-v)), 0 for d > n/2: never below
  int64_t terms = 0;           ///< how many (a, c) the sum runs over
};

/// Formula log_exponential is Hoeffding's inequality: an address in both circles errs in at most d - v/2 of
///         the n - v bits on which the centres agree
/// Errors  UsageError unless 0 <= hamming_radius <= bits, 0 <= distance <= bits, 1 <= bits <= 10 000 000
IntersectionBounds intersection_bounds(int64_t bits, int64_t hamming_radius, int64_t distance);

/// The forms of the published derivation. Despite their names the lower and upper ones need not bound the
/// intersection: they approximate its largest term, and are far above it for small radii.
struct PublishedExponentials {
  double log_first_term = 0;            ///< C(n-v, n-d-floor(v/2)) C(v, floor(v/2))
  double log_first_term_half = 0;       ///< the same with v/2 not rounded, binomials through Gamma
  double log_normal = 0;                ///< normal approximation of both factors of the first term
  double log_lower = 0;                 ///< K(v) exp(-(n-2d)^2 / (2 (n-v))), K = 2 / (pi sqrt(v (n-v)))
  double log_upper = 0;                 ///< lower times the number of terms
  double log_taylor_lower = 0;          ///< K(v) exp(-(n-2d)^2 / 2n) exp(-(n-2d)^2 v / 2n^2)
  double log_taylor_upper = 0;          ///< that times the number of terms
  double log_taylor_constant_lower = 0; ///< with K at v = n/2, its least value
  double log_taylor_constant_upper = 0; ///< with K at v = 1, its largest
  int64_t terms = 0;                    ///< the number used for the upper forms
};

/// How the upper forms count the terms of the sum.
enum class TermCount {
  every_term, ///< as many as there are
  published   ///< one short in every inner sum, so that the upper forms reach 0 too early
};

/// Errors  UsageError unless 1 <= distance <= bits - 1; bits and hamming_radius as above
/// Source  Bricken & Pehlevan 2021, appendix on the exponential approximation, and their published notebook
PublishedExponentials published_exponentials(int64_t bits, int64_t hamming_radius, int64_t distance,
                                             TermCount count = TermCount::every_term);

/// The beta that the published exponent implies, in units of the cosine: (n-2d)^2 / 4n.
///
/// Errors  UsageError as above
double implied_beta(int64_t bits, int64_t hamming_radius);

} // namespace mneme::theory
