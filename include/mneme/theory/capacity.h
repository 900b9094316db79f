// SPDX-License-Identifier: MIT

/// How many patterns a sparse distributed memory can hold, and the radius at which that is most.
///
/// The published formulas count a pattern as held if it comes back from its own address, without noise.
#pragma once

#include <cstdint>

namespace mneme::theory {

/// The z-score that each bit needs so that a whole pattern is right with `probability`:
/// z = Phi^-1(probability^(1/n)).
///
/// Errors  UsageError unless 1 <= bits <= 10 000 000, 0 < probability < 1
double z_per_bit(int64_t bits, double probability = 0.5);

/// The number of patterns at which every bit has the z-score z:
/// m(p) = ((p r)^2 / z^2 - p r) / (p^2 r + (p^2 r)^2) + 1; below 1 where even one is too many.
///
/// Errors  UsageError unless 0 < space_fraction <= 1, 1 <= hard_locations <= 1e100,
///         1e-20 <= |z| <= 1e20
/// Source  Bricken & Pehlevan 2021, appendix on the optimal d
double capacity(double space_fraction, double hard_locations, double z);

/// The space fraction at which it is largest: the positive root of 2 r^2 p^3 - 3 r z^2 p^2 - z^2 = 0, at most
/// 1.
///
/// Accuracy 1e-14 relative; no power of r overflows, as does in the published closed form beyond 1e38
/// Errors  as `capacity`
double capacity_space_fraction(double hard_locations, double z);

/// The radius that belongs to that fraction. Errors as the functions it joins.
int64_t hamming_radius_for_capacity(int64_t bits, double hard_locations, double probability = 0.5);

} // namespace mneme::theory
