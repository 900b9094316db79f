// SPDX-License-Identifier: MIT

/// Kanerva's continuous form of the circle intersection: the normal approximation in his book.
#pragma once

#include <cstdint>

namespace mneme::theory {

/// Natural logarithm of the fraction of the space in two circles of `hamming_radius`, in the book's
/// approximation; -infinity at distance `bits` for radii up to bits / 2.
///
/// Formula integral over x in [v/n, 1] of f(x), the density below. For radii above n/2, which the book does
///         not consider, plus the fraction in both circles of opposite addresses, erf(c / sqrt 2)
/// Accuracy 1e-11 in the logarithm of the formula; the formula itself is 10 % below the exact fraction at
///         1000 bits and radius 451
/// Errors  UsageError unless 0 <= hamming_radius <= bits, 0 <= distance <= bits, 1 <= bits <= 10 000 000
/// Source  Kanerva 1988, "Sparse Distributed Memory", appendix B
double log_book_intersection(int64_t bits, int64_t hamming_radius, int64_t distance);

/// Decrease of that fraction per unit of x, the distance as a fraction of the bits:
/// f(x) = exp(-c^2 / (2 (1 - x))) / (2 pi sqrt(x (1 - x))), c = (d - n/2) / sqrt(n/4).
///
/// Errors  UsageError unless 0 < x < 1; bits and hamming_radius as above
double book_intersection_density(int64_t bits, int64_t hamming_radius, double x);

} // namespace mneme::theory
