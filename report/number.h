// SPDX-License-Identifier: MIT

/// Numbers as text, the same bytes in every locale.
#pragma once

#include <string>

namespace mneme::report {

enum class Notation {
  automatic, ///< `digits` significant digits, without trailing zeros; 1e-05 where that is shorter
  fixed,     ///< `digits` digits after the point
  percent    ///< 100 times the number, `digits` digits after the point; the % sign is the reader's
};

/// `value` for people. Numbers too large for a fixed notation to be readable (1e15 and above) fall back to
/// `automatic`; "nan", "inf" and "-inf" where it is no number; never "-0.00".
std::string format_number(double value, Notation notation, int digits);

/// The shortest text that reads back as exactly `value`; "nan", "inf" and "-inf" where it is no number.
std::string exact_number(double value);

} // namespace mneme::report
