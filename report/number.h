// SPDX-License-Identifier: MIT

/// Number formatting, independent of the locale.
#pragma once

#include <string>

namespace mneme::report {

enum class Notation {
  automatic, ///< `digits` significant digits, without trailing zeros; scientific notation where shorter
  fixed,     ///< `digits` digits after the decimal point
  percent    ///< 100 times the number, `digits` digits after the decimal point; the caller adds the % sign
};

/// `value` rounded for display. Numbers of 1e15 and above use `automatic` in place of fixed notation; "nan",
/// "inf" or "-inf" if it is not finite; never "-0.00".
std::string format_number(double value, Notation notation, int digits);

/// Shortest text that parses to exactly `value`; "nan", "inf" or "-inf" if it is not finite.
std::string exact_number(double value);

} // namespace mneme::report
