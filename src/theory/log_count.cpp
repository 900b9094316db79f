// SPDX-License-Identifier: MIT

#include "mneme/theory/log_count.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::theory {
namespace {

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Log of a decimal integer of any length; -infinity for 0.
double log_of_digits(std::string_view digits) {
  constexpr size_t kLeadingDigits = 30; // more digits than a long double has
  long double leading = 0;
  for (const char digit : digits.substr(0, kLeadingDigits)) {
    leading = 10 * leading + (digit - '0');
  }
  const size_t rest = digits.size() - std::min(digits.size(), kLeadingDigits);
  return static_cast<double>(std::log(leading) +
                             static_cast<long double>(rest) * std::numbers::ln10_v<long double>);
}

std::optional<double> log_of_power(std::string_view text) {
  const size_t caret = text.find('^');
  if (caret == std::string_view::npos || !is_digits(text.substr(0, caret)) ||
      !is_digits(text.substr(caret + 1))) {
    return std::nullopt;
  }
  const std::string_view exponent_text = text.substr(caret + 1);
  int64_t exponent = 0;
  const auto [end, error] =
      std::from_chars(exponent_text.data(), exponent_text.data() + exponent_text.size(), exponent);
  if (error != std::errc()) {
    return std::nullopt;
  }
  const double log_base = log_of_digits(text.substr(0, caret));
  // Base 0 is rejected: its powers are not counts, and 0^0 would give NaN.
  return std::isfinite(log_base) ? std::optional(static_cast<double>(exponent) * log_base) : std::nullopt;
}

std::optional<double> log_of_decimal(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return std::log(std::round(value));
}

} // namespace

double parse_log_count(std::string_view text) {
  std::optional<double> log;
  if (is_digits(text)) {
    const size_t first = text.find_first_not_of('0');
    log = first == std::string_view::npos ? std::nullopt : std::optional(log_of_digits(text.substr(first)));
  } else {
    log = log_of_power(text);
    if (!log) {
      log = log_of_decimal(text);
    }
  }
  if (!log || !(*log >= 0)) { // includes NaN, the logarithm of a negative number
    throw UsageError(fmt::format("mneme::theory::parse_log_count: '{}' is not a count of at least 1.\n"
                                 "  Write it as a number such as 1000000, 1e6 or 2^64.",
                                 text.substr(0, 60)));
  }
  return *log;
}

} // namespace mneme::theory
