// SPDX-License-Identifier: MIT

/// Means with their confidence intervals as cells of tables and points of charts.
#pragma once

#include "mneme/trials/confidence.h"
#include "report/table.h"

namespace mneme::report {

/// A measured number without random error.
trials::MeanInterval exactly(double value);
/// A mean over trials as a cell of a table: with its interval, or alone where there are fewer than two trials.
Cell cell(const trials::MeanInterval& interval);

/// A number without random error as a point of a chart.
Estimate certain(double value);
/// A mean as a point of a chart: with its 95 % interval, of no width (which is not drawn) where there is none.
Estimate estimate_of(const trials::MeanInterval& interval);

} // namespace mneme::report
