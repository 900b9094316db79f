// SPDX-License-Identifier: MIT

/// Counts too large for 64 bits, such as 2^64 hard locations, by their logarithm.
#pragma once

#include <string_view>

namespace mneme::theory {

/// Natural logarithm of a count written as "1000000", "2^64", "1e6" or "1.5e13"; whole numbers may have any
/// number of digits. A number with decimals is rounded to the nearest whole one.
///
/// Errors  UsageError (the text) if it is none of these, or less than 1
double log_of_count(std::string_view text);

} // namespace mneme::theory
