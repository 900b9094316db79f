// SPDX-License-Identifier: MIT

/// Numbers on the command line: whole numbers (1000, 1e6, 1_000_000), reals (always finite), comma lists and
/// ranges (440..460, 0..1..0.25). Hexadecimal, nan and inf are not numbers here.
///
/// Errors  UsageError that shows what was given, what is accepted and an example; `name` is how it begins
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

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace mneme::cli {

struct IntegerLimits {
  int64_t least = std::numeric_limits<int64_t>::min();
  int64_t most = std::numeric_limits<int64_t>::max();
};

struct RealLimits {
  double least = std::numeric_limits<double>::lowest();
  double most = std::numeric_limits<double>::max();
  bool least_included = true, most_included = true;
};

int64_t parse_integer(std::string_view name, std::string_view text, const IntegerLimits& limits = {});
double parse_real(std::string_view name, std::string_view text, const RealLimits& limits = {});

/// "3", "1,2,5", "440..460" or "0..1000..50", also mixed; ranges include their end where a step meets it.
std::vector<int64_t> parse_integers(std::string_view name, std::string_view text,
                                    const IntegerLimits& limits = {});

/// "0.1", "0.1,0.2" or "0..1..0.25", also mixed; a range of reals needs its step. The numbers of a range are
/// those one would have typed: 0..1..0.1 holds 0.3, not 0.30000000000000004.
std::vector<double> parse_reals(std::string_view name, std::string_view text, const RealLimits& limits = {});

/// An option whose text goes through `parse`, shown with `type` and `default_text` in the help.
CLI::Option* add_parsed_option(CLI::App& app, const std::string& names, const std::string& type,
                               const std::string& default_text,
                               std::function<void(const std::string& name, const std::string& text)> parse,
                               const std::string& help);

/// The options below keep what `target` holds unless they are given, and show it as their default.
CLI::Option* add_real_option(CLI::App& app, const std::string& names, double& target,
                             const RealLimits& limits, const std::string& help);
CLI::Option* add_reals_option(CLI::App& app, const std::string& names, std::vector<double>& target,
                              const RealLimits& limits, const std::string& help);
CLI::Option* add_integers_option(CLI::App& app, const std::string& names, std::vector<int64_t>& target,
                                 const IntegerLimits& limits, const std::string& help);
template <std::integral Integer>
CLI::Option* add_integer_option(CLI::App& app, const std::string& names, Integer& target,
                                const IntegerLimits& limits, const std::string& help) {
  IntegerLimits fitting = limits;
  if (std::in_range<int64_t>(std::numeric_limits<Integer>::max())) {
    fitting.most = std::min(fitting.most, static_cast<int64_t>(std::numeric_limits<Integer>::max()));
  }
  fitting.least = std::max(fitting.least, static_cast<int64_t>(std::numeric_limits<Integer>::min()));
  return add_parsed_option(
      app, names, "N", std::to_string(target),
      [&target, fitting](const std::string& name, const std::string& text) {
        target = static_cast<Integer>(parse_integer(name, text, fitting));
      },
      help);
}

} // namespace mneme::cli
