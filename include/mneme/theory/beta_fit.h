// SPDX-License-Identifier: MIT

/// Fits the inverse temperature beta of a softmax to circle or cap intersections: the core of "attention
/// approximates SDM".
///
/// Source  Bricken & Pehlevan 2021, "Attention Approximates Sparse Distributed Memory"
#pragma once

#include <cstdint>
#include <span>

namespace mneme::theory {

/// Straight line fitted to (cosine, log of the expected intersection).
struct BetaFit {
  double beta = 0;                ///< published convention: least_squares_slope * points / (points - 1)
  double least_squares_slope = 0; ///< the exact slope
  double bias = 0;                ///< mean log - beta * mean cosine (with the published beta)
  int64_t points = 0;             ///< number of points fitted, after zeros were dropped
};

/// Fits beta to the exact circle intersections at `hamming_radius` distances, starting at `first_distance`.
///
/// Formula expected(v) = hard_locations / 2^bits * I(v); log_hard_locations (natural logarithm) changes the
///         bias only. first_distance 0 is the convention of the recall algorithms, 1 that of the plots of
///         beta over d
/// Errors  UsageError for a radius outside 2 .. bits, distances beyond bits, an empty intersection at one of
///         them, a log that is not finite
BetaFit fit_beta(int64_t bits, int64_t hamming_radius, double log_hard_locations, int64_t first_distance = 0);

/// Fits beta to the cap intersections at distances 0 .. hamming_radius - 1. The first cosine is lowered by
/// 1e-15 as published. Errors as `fit_beta`.
BetaFit fit_beta_to_caps(int64_t bits, int64_t hamming_radius, double log_hard_locations);

/// Fits beta to given expected intersections (not their logs). If the last is 0, all zeros are dropped.
///
/// Errors  UsageError for lengths that differ, fewer than 2 remaining points, equal cosines, a value that is
///         negative or not finite, a 0 while the last value is not 0
BetaFit fit_beta_regression(std::span<const double> cosines, std::span<const double> expected);
/// Fits beta to the logs of expected intersections; -infinity represents 0.
BetaFit fit_beta_log_regression(std::span<const double> cosines, std::span<const double> log_expected);

/// The beta >= 0 that minimises the distance of softmax(beta * cosine) from the normalised intersection.
struct SoftmaxFit {
  double beta = 0;
  double loss = 0; ///< mean of (softmax - normalised intersection)^2 over the points
};

/// Formula minimises the mean of (softmax(beta cosines) - expected / sum of expected)^2 over beta in
///         [0, 1e5]: a grid scan brackets the minimum, then Brent's method
/// Accuracy about 1e-7 relative in beta (the loss is flat there)
/// Errors  UsageError for lengths that differ, fewer than 2 points, values that are not numbers, logs that
///         are all -infinity, or a loss that still decreases at beta = 1e5 (all weight on one point)
SoftmaxFit fit_softmax(std::span<const double> cosines, std::span<const double> log_expected);

/// Fits softmax to the intersections at all distances 0 .. bits.
///
/// Errors  UsageError unless 1 <= hamming_radius <= bits
SoftmaxFit fit_softmax_to_circles(int64_t bits, int64_t hamming_radius);
SoftmaxFit fit_softmax_to_caps(int64_t bits, int64_t hamming_radius);

} // namespace mneme::theory
