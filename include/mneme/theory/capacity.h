// SPDX-License-Identifier: MIT

/// Capacity of a sparse distributed memory, and the radius that maximises it.
///
/// In the published formulas a pattern is stored if a read at its own address, without noise, returns it.
#pragma once

#include <cstdint>

namespace mneme::theory {

/// z-score required of each bit so that all bits of a pattern are correct with `probability`:
/// z = Phi^-1(probability^(1/n)).
///
/// Errors  UsageError unless 1 <= bits <= 10 000 000, 0 < probability < 1
double z_per_bit(int64_t bits, double probability = 0.5);

/// Number of patterns at which every bit has the z-score z:
/// m(p) = ((p r)^2 / z^2 - p r) / (p^2 r + (p^2 r)^2) + 1; below 1 if not even one pattern can be stored.
///
/// Errors  UsageError unless 0 < space_fraction <= 1, 1 <= hard_locations <= 1e100,
///         1e-20 <= |z| <= 1e20
/// Source  Bricken & Pehlevan 2021, appendix on the optimal d. The formula has only z^2: a negative z, of a
///         probability that bits chosen at random reach, gives the number of -z, which means nothing
double capacity(double space_fraction, double hard_locations, double z);

/// Space fraction that maximises the capacity: the positive root of 2 r^2 p^3 - 3 r z^2 p^2 - z^2 = 0, at
/// most 1.
///
/// Accuracy 1e-14 relative for any r; the published closed form overflows beyond r = 1e38
/// Errors  as `capacity`
double capacity_space_fraction(double hard_locations, double z);

/// Hamming radius with that space fraction. Errors as the functions it combines.
int64_t hamming_radius_for_capacity(int64_t bits, double hard_locations, double probability = 0.5);
/// The Hamming radius whose space fraction has the largest capacity, which may be a bit smaller than the one
/// above, because that rounds up. Errors as above.
int64_t best_hamming_radius_for_capacity(int64_t bits, double hard_locations, double probability = 0.5);

/// Number of associations of random vectors with `ones` of `bits` ones that a dyadic memory stores and
/// recalls: (bits / ones)^3 / 2, at which a counter has a mean of about 1/2.
///
/// Errors  UsageError unless 2 <= bits <= 10 000 000, 2 <= ones <= bits
/// Source  Overmann 2022, "Triadic memory: a fundamental algorithm for cognitive computing"
double dyadic_memory_capacity(int64_t bits, int64_t ones);

} // namespace mneme::theory
