// SPDX-License-Identifier: MIT

/// Means with confidence intervals as table cells and chart points.
#pragma once

#include "mneme/trials/confidence.h"
#include "report/table.h"

namespace mneme::report {

/// A value without random error, as a mean without an interval.
trials::MeanInterval exact_mean(double value);
/// Mean over trials as a table cell: with its interval, or without one for fewer than two trials.
Cell cell(const trials::MeanInterval& interval);

/// Range of possible values, beyond which no interval extends.
struct Limits {
  double min = 0, max = 1;
};
constexpr Limits kFraction{0, 1}; ///< of a fraction, such as an accuracy

/// As above, with the interval clipped to the possible values.
Cell cell(const trials::MeanInterval& interval, const Limits& limits);

/// A value without random error, as a chart point: an interval of zero width, which is not drawn.
Estimate exact_point(double value);
/// Mean as a chart point with its 95 % interval. Without an interval, the point has one of zero width, which
/// is not drawn.
Estimate estimate_of(const trials::MeanInterval& interval);

} // namespace mneme::report
