// SPDX-License-Identifier: MIT

/// Three ways to say how large a Hamming circle is (radius, fraction of the space, cosine), and the size that
/// gives the best signal-to-noise ratio.
#pragma once

#include <cstdint>

namespace mneme::theory {

/// Fraction of all addresses within `hamming_radius` of one: the binomial distribution function of n fair
/// bits.
///
/// Errors  UsageError unless 0 <= hamming_radius <= bits and 1 <= bits <= 10 000 000
double space_fraction(int64_t bits, int64_t hamming_radius);
/// Its natural logarithm, also where the fraction is below the range of doubles.
double log_space_fraction(int64_t bits, int64_t hamming_radius);

/// The smallest radius whose space fraction is at least `fraction`.
///
/// Errors  UsageError unless 0 < fraction <= 1; as `space_fraction` for bits
int64_t hamming_radius_for_space_fraction(int64_t bits, double fraction);

/// Cosine of two patterns of +-1 that differ in `distance` bits: 1 - 2 distance / bits.
///
/// Errors  UsageError unless 0 <= distance <= bits, bits >= 1
double hamming_to_cosine(int64_t bits, int64_t distance);

/// Hamming distance of a cosine, rounded down: floor(bits (1 - cosine) / 2).
///
/// A cosine that is a whole distance up to rounding gives that distance; one outside [-1, 1] by up to 1e-4
/// counts as -1 or 1.
/// Errors  UsageError for anything further out, NaN, or bits < 1
int64_t cosine_to_hamming(int64_t bits, double cosine);

/// Space fraction at which the signal-to-noise ratio of a sparse distributed memory is greatest:
/// p = (2 m r)^(-1/3), for m stored patterns and r hard locations.
///
/// Errors  UsageError unless patterns >= 1 and hard_locations >= 1 are finite
/// Source  Kanerva 1988; Bricken & Pehlevan 2021, appendix on the optimal d
double signal_to_noise_space_fraction(double patterns, double hard_locations);
/// The radius that belongs to that fraction. Errors as the two functions it joins.
int64_t hamming_radius_for_signal_to_noise(int64_t bits, double patterns, double hard_locations);

} // namespace mneme::theory
