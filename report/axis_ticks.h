// SPDX-License-Identifier: MIT

/// Range and ticks of an axis, computed from the plotted values.
#pragma once

#include <span>
#include <vector>

#include "report/chart.h"

namespace mneme::report {

/// An axis with its final range.
struct FittedAxis {
  Axis axis = {};                 ///< with its range, and a format that distinguishes all ticks
  std::vector<double> ticks = {}; ///< labelled values; empty: chosen by the drawing library within the range
};

enum class AxisEnds {
  ticks, ///< the range extends to the next tick, within the limits of the axis
  values ///< the range ends at the smallest and the largest value
};

/// Fits an axis to the finite ones of `values`. A range that the axis already has is kept. Logarithmic axes
/// are labelled at powers of ten, and over less than two of them also at 2 and 5 times these. If all values
/// are whole numbers, such as counts and indices, and the axis has neither format nor range, ticks are at
/// whole numbers only.
FittedAxis fit_axis(Axis axis, std::span<const double> values, AxisEnds ends);

/// Difference between ticks that divides `span` > 0 into about `count` parts: 1, 2 or 5 times a power of ten,
/// as d3 chooses it.
double tick_step(double span, int count);

} // namespace mneme::report
