// SPDX-License-Identifier: MIT

/// The circle intersection as the published code computes it, lost digits and the two meanings of an absent
/// number of hard locations included.
#pragma once

#include <cstdint>
#include <optional>

namespace mneme::theory {

/// The lune form in doubles, A - L: two large numbers that lose digits as they cancel. A difference below 0
/// counts as 0.
///
/// Without hard locations it is the number of addresses.
/// Errors  UsageError unless 0 <= hamming_radius <= bits, 0 <= distance <= bits, 1 <= bits <= 1023 (2^bits
///         must be a double), a log that is not finite
double original_lune_intersection(int64_t bits, int64_t hamming_radius, int64_t distance,
                                  std::optional<double> log_hard_locations);

/// The interpretable form. Without hard locations it is the fraction of the space: the two published
/// functions disagree. Errors as above.
double original_interpretable_intersection(int64_t bits, int64_t hamming_radius, int64_t distance,
                                           std::optional<double> log_hard_locations);

} // namespace mneme::theory
