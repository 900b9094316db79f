// SPDX-License-Identifier: MIT

/// Agreement of a softmax with a given beta with circle or cap intersections.
///
/// Source  Bricken & Pehlevan 2021, "Attention Approximates Sparse Distributed Memory"
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mneme::theory {

/// Normalised weights over the same points, and their differences.
struct SoftmaxAgreement {
  std::vector<double> intersection = {}; ///< sums to 1 over the points
  std::vector<double> softmax = {};      ///< softmax(beta * cosine), sums to 1 over the points
  double max_difference = 0;             ///< largest |softmax - intersection|
  double total_variation = 0; ///< sum of |softmax - intersection| / 2: the weight that is on other points
  int64_t within_factor_2 =
      0; ///< number of points, from the first one on, up to which softmax and intersection
         ///< differ by less than a factor of 2
};

/// Compares softmax(beta * cosine) with the normalised intersections exp(log_expected) / sum; -infinity
/// represents 0.
///
/// Errors  UsageError for lengths that differ, no points, a cosine or beta that is not finite, a log that is
///         NaN or +infinity, logs that are all -infinity
SoftmaxAgreement compare_softmax(std::span<const double> cosines, std::span<const double> log_expected,
                                 double beta);

/// Coefficient of determination (R squared) of the least-squares line through (cosine, log of the expected
/// intersection), without the points at which the intersection is 0. It is 1 if the intersection is
/// exponential in the cosine.
///
/// Errors  UsageError for lengths that differ, or fewer than 3 remaining points, through which any line fits
double log_linear_r_squared(std::span<const double> cosines, std::span<const double> log_expected);

} // namespace mneme::theory
