// SPDX-License-Identifier: MIT

/// Grids and function curves for the charts of experiments.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

#include "experiments/experiment.h"

namespace mneme::experiments {

/// `count` evenly spaced numbers from first to last, both included. `count` must be at least 2.
std::vector<double> linspace(double first, double last, int64_t count);
/// Powers of ten with evenly spaced exponents from first to last.
std::vector<double> logspace(double first, double last, int64_t count);
/// The numbers of `linspace` truncated to integers, without duplicates.
std::vector<int64_t> integer_linspace(double first, double last, int64_t count);
/// first, first + step, first + 2 step, ... up to last.
std::vector<int64_t> integer_range(int64_t first, int64_t last, int64_t step = 1);

/// Series of the function values at each x.
template <class X, std::invocable<X> Function>
report::Series curve(std::string name, const std::vector<X>& xs, Function y,
                     report::SeriesStyle style = report::SeriesStyle::line) {
  report::Series series{.name = std::move(name), .style = style};
  for (const X x : xs) {
    series.points.push_back({static_cast<double>(x), exact_point(y(x))});
  }
  return series;
}

/// The series without points whose y is not positive, for logarithmic axes.
report::Series drop_nonpositive(report::Series series);

/// Comparison of a value without random error; the tolerance is relative to the published value.
Comparison compare_relative(std::string what, double published, double measured, double relative);
/// As above with an absolute tolerance.
Comparison compare_absolute(std::string what, double published, double measured, double tolerance);

} // namespace mneme::experiments
