// SPDX-License-Identifier: MIT

/// Curves of functions over grids, as experiments draw them.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

#include "experiments/experiment.h"

namespace mneme::experiments {

/// `count` numbers from first to last, both included. `count` at least 2.
std::vector<double> linspace(double first, double last, int64_t count);
/// Powers of ten whose exponents go from first to last.
std::vector<double> logspace(double first, double last, int64_t count);
/// Such numbers without their decimals, each once.
std::vector<int64_t> whole_linspace(double first, double last, int64_t count);
/// first, first + 1, ... last; every `step`-th of them.
std::vector<int64_t> whole_range(int64_t first, int64_t last, int64_t step = 1);

/// The function at each x, as points that a linear axis can show.
template <class X, std::invocable<X> Function>
report::Series curve(std::string name, const std::vector<X>& xs, Function y,
                     report::SeriesStyle style = report::SeriesStyle::line) {
  report::Series series{.name = std::move(name), .style = style};
  for (const X x : xs) {
    series.points.push_back({static_cast<double>(x), certain(y(x))});
  }
  return series;
}

/// For a logarithmic axis: points that are not above 0 are left out.
report::Series above_zero(report::Series series);

/// Row of a comparison without chance, its tolerance in proportion to the published value.
Comparison within(std::string what, double published, double measured, double relative);
/// The same with an absolute tolerance.
Comparison within_absolute(std::string what, double published, double measured, double tolerance);

} // namespace mneme::experiments
