// SPDX-License-Identifier: MIT

#include "report/number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace mneme::report {
namespace {

// Above this, fixed notation would print digits beyond the precision of double.
constexpr double kFixedLimit = 1e15;
constexpr int kDigitsLimit = 17; // significant digits that identify a double

std::string not_finite(double value) {
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

} // namespace

std::string format_number(double value, Notation notation, int digits) {
  const double shown = notation == Notation::percent ? 100 * value : value;
  if (!std::isfinite(shown)) {
    return not_finite(shown);
  }
  const bool fixed = notation != Notation::automatic && std::abs(shown) < kFixedLimit;
  digits = std::clamp(digits, fixed ? 0 : 1, kDigitsLimit);
  std::array<char, 64> buffer{};
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), shown,
                    fixed ? std::chars_format::fixed : std::chars_format::general, digits);
  std::string text(buffer.data(), end);
  if (text.front() == '-' && text.find_first_of("123456789") == std::string::npos) {
    text.erase(0, 1);
  }
  return text;
}

std::string exact_number(double value) {
  if (!std::isfinite(value)) {
    return not_finite(value);
  }
  std::array<char, 32> buffer{};
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

} // namespace mneme::report
