// SPDX-License-Identifier: MIT

/// Parses numbers on the command line: integers (1000, 1e6, 1_000_000), finite real numbers, comma-separated
/// lists and ranges (440..460, 0..1..0.25). Hexadecimal numbers, nan and inf are not accepted.
///
/// Errors  UsageError with the given text, the accepted range and an example; the message begins with `name`
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/arguments.h"

namespace mneme::cli {

struct IntegerLimits {
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();
};

struct RealLimits {
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
  bool min_included = true, max_included = true;
};

int64_t parse_integer(std::string_view name, std::string_view text, const IntegerLimits& limits = {});
double parse_real(std::string_view name, std::string_view text, const RealLimits& limits = {});

/// Parses lists of integers and ranges, such as "3", "1,2,5", "440..460", "0..1000..50" or "1,5..7". A range
/// includes its end if it is a whole number of steps away from the start.
std::vector<int64_t> parse_integers(std::string_view name, std::string_view text,
                                    const IntegerLimits& limits = {});

/// Parses lists of real numbers and ranges, such as "0.1", "0.1,0.2", "0..1..0.25" or "0.1,0.5..1..0.25". A
/// range needs a step. The numbers of a range are the doubles nearest to their decimals: 0..1..0.1 contains
/// 0.3, not 0.30000000000000004.
std::vector<double> parse_reals(std::string_view name, std::string_view text, const RealLimits& limits = {});

/// Adds an option that calls `parse` with its name and its value. `type` and `default_text` are shown in the
/// help.
Option* add_parsed_option(Arguments& arguments, const std::string& names, const std::string& type,
                          const std::string& default_text,
                          std::function<void(const std::string& name, const std::string& text)> parse,
                          const std::string& help);

/// The functions below add an option that sets `target`. The initial value of `target` is the default.
Option* add_real_option(Arguments& arguments, const std::string& names, double& target,
                        const RealLimits& limits, const std::string& help);
Option* add_reals_option(Arguments& arguments, const std::string& names, std::vector<double>& target,
                         const RealLimits& limits, const std::string& help);
Option* add_integers_option(Arguments& arguments, const std::string& names, std::vector<int64_t>& target,
                            const IntegerLimits& limits, const std::string& help);
template <std::integral Integer>
Option* add_integer_option(Arguments& arguments, const std::string& names, Integer& target,
                           const IntegerLimits& limits, const std::string& help) {
  IntegerLimits fitting = limits;
  if (std::in_range<int64_t>(std::numeric_limits<Integer>::max())) {
    fitting.max = std::min(fitting.max, static_cast<int64_t>(std::numeric_limits<Integer>::max()));
  }
  fitting.min = std::max(fitting.min, static_cast<int64_t>(std::numeric_limits<Integer>::min()));
  return add_parsed_option(
      arguments, names, "N", std::to_string(target),
      [&target, fitting](const std::string& name, const std::string& text) {
        target = static_cast<Integer>(parse_integer(name, text, fitting));
      },
      help);
}

} // namespace mneme::cli
