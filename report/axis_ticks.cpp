// SPDX-License-Identifier: MIT

#include "report/axis_ticks.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "report/chart_parts.h"

namespace mneme::report {
namespace {

constexpr int kMaxDigits = 12;
constexpr double kRounding = 1e-9; // of a tick: a value this close to a tick is on it

/// Digits after the decimal point with which multiples of `step` differ.
int digits_of(double step) {
  return std::clamp(static_cast<int>(std::ceil(-std::log10(step) - kRounding)), 0, kMaxDigits);
}

/// A d3-format such as ".0%" or ".2f" with enough digits for multiples of `step`; other formats are kept.
std::string with_digits(const std::string& format, double step) {
  const bool is_percent = format.ends_with('%'), is_fixed = format.ends_with('f');
  const size_t point = format.rfind('.');
  if ((!is_percent && !is_fixed) || point == std::string::npos || point + 3 != format.size()) {
    return format;
  }
  const int given = format[point + 1] - '0';
  return format.substr(0, point + 1) +
         std::to_string(std::max(given, digits_of(is_percent ? 100 * step : step))) + format.back();
}

std::pair<double, double> range_of(std::span<const double> values, bool positive) {
  double low = INFINITY, high = -INFINITY;
  for (const double value : values) {
    if (std::isfinite(value) && (!positive || value > 0)) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  return {low, high};
}

bool are_whole(std::span<const double> values) {
  return std::ranges::all_of(
      values, [](double value) { return !std::isfinite(value) || value == std::floor(value); });
}

/// Powers of ten from `low` to `high`, about kTicks of them; over less than two powers of ten also 2 and 5
/// times these.
std::vector<double> logarithmic_ticks(double low, double high) {
  const double first = std::floor(std::log10(low) + kRounding),
               last = std::ceil(std::log10(high) - kRounding);
  const bool between = std::log10(high / low) < 2;
  const double step = std::max(1.0, tick_step(std::max(last - first, 1.0), kTicks));
  std::vector<double> ticks;
  for (double power = std::floor(first / step) * step; power <= last; power += step) {
    for (const int factor : between ? std::vector{1, 2, 5} : std::vector{1}) {
      ticks.push_back(factor * std::pow(10, power));
    }
  }
  return ticks;
}

FittedAxis fit_logarithmic(Axis axis, double low, double high, AxisEnds ends) {
  std::vector<double> ticks = logarithmic_ticks(low, high);
  if (ends == AxisEnds::ticks) {
    const auto above = std::ranges::find_if(ticks, [&](double tick) { return tick > low * (1 + kRounding); });
    low = above == ticks.begin() ? low : *(above - 1);
    const auto end = std::ranges::find_if(ticks, [&](double tick) { return tick >= high * (1 - kRounding); });
    high = end == ticks.end() ? high : *end;
  }
  std::erase_if(ticks,
                [&](double tick) { return tick < low * (1 - kRounding) || tick > high * (1 + kRounding); });
  constexpr size_t kFewestTicks = 3;
  if (ticks.size() < kFewestTicks && high < 10 * low) { // such as from 2.1 to 2.9
    const double step = tick_step(high - low, kTicks);
    ticks.clear();
    for (double tick = std::ceil(low / step - kRounding); tick * step <= high * (1 + kRounding); ++tick) {
      ticks.push_back(tick * step);
    }
  }
  axis.range = {low, high};
  constexpr double kMinPlain = 1e-4, kMaxPlain = 1e6; // written without an exponent
  if (axis.format.empty()) {
    axis.format = low >= kMinPlain && high <= kMaxPlain ? ",~r" : ".0e";
  }
  return {std::move(axis), std::move(ticks)};
}

} // namespace

double tick_step(double span, int count) {
  const double rough = span / count, power = std::pow(10, std::floor(std::log10(rough)));
  const double error = rough / power;
  return power * (error >= std::sqrt(50.0)   ? 10
                  : error >= std::sqrt(10.0) ? 5
                  : error >= std::sqrt(2.0)  ? 2
                                             : 1);
}

FittedAxis fit_axis(Axis axis, std::span<const double> values, AxisEnds ends) {
  auto [low, high] = axis.range ? *axis.range : range_of(values, axis.logarithmic);
  if (!(low <= high)) { // no values
    return {std::move(axis), {}};
  }
  const bool is_given = axis.range.has_value();
  if (axis.limits && !is_given) {
    low = std::clamp(low, axis.limits->first, axis.limits->second);
    high = std::clamp(high, axis.limits->first, axis.limits->second);
  }
  if (axis.logarithmic) {
    if (low == high) {
      low /= 2;
      high *= 2;
    }
    return fit_logarithmic(std::move(axis), low, high, is_given ? AxisEnds::values : ends);
  }
  if (low == high) {
    const double margin = low == 0 ? 1 : std::abs(low) / 10;
    low -= margin;
    high += margin;
    ends = AxisEnds::ticks;
  }
  double step = tick_step(high - low, kTicks);
  const bool fewer_ticks = step < 1 && !is_given && axis.format.empty() && are_whole(values);
  step = fewer_ticks ? 1 : step;
  if (!is_given && ends == AxisEnds::ticks) {
    low = std::floor(low / step + kRounding) * step;
    high = std::ceil(high / step - kRounding) * step;
  }
  if (axis.limits && !is_given) {
    low = std::max(low, axis.limits->first);
    high = std::min(high, axis.limits->second);
  }
  axis.range = {low, high};
  axis.format = with_digits(axis.format, step);
  std::vector<double> ticks;
  if (fewer_ticks) {
    axis.format = ",d";
    for (double tick = std::ceil(low / step - kRounding) * step; tick <= high + kRounding; tick += step) {
      ticks.push_back(tick);
    }
  }
  return {std::move(axis), std::move(ticks)};
}

} // namespace mneme::report
