// SPDX-License-Identifier: MIT

/// Parses counts that may exceed 64 bits, such as 2^64 hard locations, and returns their logarithm.
#pragma once

#include <string_view>

namespace mneme::theory {

/// Natural logarithm of a count written as "1000000", "2^64", "1e6" or "1.5e13". Integers may have any number
/// of digits; a number with decimals is rounded to the nearest integer.
///
/// Errors  UsageError that quotes the text if it is not a count, or less than 1
double parse_log_count(std::string_view text);

} // namespace mneme::theory
