// SPDX-License-Identifier: MIT

/// Circle intersection as computed by the published code, including its loss of precision and the two
/// different results without a number of hard locations.
#pragma once

#include <cstdint>
#include <optional>

namespace mneme::theory {

/// Lune form in doubles: the difference A - L of two large numbers, which loses digits by cancellation. A
/// difference below 0 becomes 0. Without hard locations the result is the number of addresses.
///
/// Errors  UsageError unless 0 <= hamming_radius <= bits, 0 <= distance <= bits, 1 <= bits <= 1023 (2^bits
///         must be a double), a log that is not finite
double original_lune_intersection(int64_t bits, int64_t hamming_radius, int64_t distance,
                                  std::optional<double> log_hard_locations);

/// Interpretable form. Without hard locations the result is the fraction of the space; the two published
/// functions disagree in this. Errors as above.
double original_interpretable_intersection(int64_t bits, int64_t hamming_radius, int64_t distance,
                                           std::optional<double> log_hard_locations);

} // namespace mneme::theory
