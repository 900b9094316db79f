// SPDX-License-Identifier: MIT

/// Size of a Hamming circle as radius, fraction of the space or cosine, and the size with the best
/// signal-to-noise ratio.
#pragma once

#include <cstdint>

namespace mneme::theory {

/// Fraction of all addresses within `hamming_radius` of a given one: the cumulative distribution function of
/// Binomial(n, 1/2).
///
/// Errors  UsageError unless 0 <= hamming_radius <= bits and 1 <= bits <= 10 000 000
double space_fraction(int64_t bits, int64_t hamming_radius);
/// Natural logarithm of the space fraction; finite even where the fraction underflows.
double log_space_fraction(int64_t bits, int64_t hamming_radius);

/// Smallest radius whose space fraction is at least `fraction`.
///
/// Errors  UsageError unless 0 < fraction <= 1; as `space_fraction` for bits
int64_t hamming_radius_for_space_fraction(int64_t bits, double fraction);

/// Cosine of two patterns of +-1 that differ in `distance` bits: 1 - 2 distance / bits.
///
/// Errors  UsageError unless 0 <= distance <= bits, bits >= 1
double hamming_to_cosine(int64_t bits, int64_t distance);

/// Hamming distance of a cosine, rounded down: floor(bits (1 - cosine) / 2).
///
/// A cosine that equals an integer distance up to rounding errors gives that distance; one up to 1e-4 outside
/// [-1, 1] is clamped.
/// Errors  UsageError for a cosine further outside, NaN, or bits < 1
int64_t cosine_to_hamming(int64_t bits, double cosine);

/// Space fraction that maximises the signal-to-noise ratio of a sparse distributed memory:
/// p = (2 m r)^(-1/3), for m stored patterns and r hard locations.
///
/// Errors  UsageError unless patterns >= 1 and hard_locations >= 1 are finite
/// Source  Kanerva 1988; Bricken & Pehlevan 2021, appendix on the optimal d
double signal_to_noise_space_fraction(double patterns, double hard_locations);
/// The smallest Hamming radius with at least that space fraction, as published. Errors as the two functions
/// it combines.
int64_t hamming_radius_for_signal_to_noise(int64_t bits, double patterns, double hard_locations);

} // namespace mneme::theory
