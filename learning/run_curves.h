// SPDX-License-Identifier: MIT

/// Curves of several training runs in one figure, from the metrics.jsonl of their folders.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "report/chart.h"
#include "report/table.h"

namespace mneme::learning {

/// A measure of a seed or trial: (epoch or step, value), in order. The value is NaN where it is not known.
using MetricCurve = std::vector<std::pair<double, double>>;

struct RunMetrics {
  std::string name = {};  ///< in legends and tables
  std::string model = {}; ///< empty: not known
  std::string unit = {};  ///< of the x axis: "epoch" or "step"
  /// The curves of all seeds or trials, by the key of the measure in metrics.jsonl.
  std::map<std::string, std::vector<MetricCurve>> curves = {};
};

/// Reads the text of metrics.jsonl of a run of `mneme train`. Keys other than measures are ignored.
///
/// Errors  DataError that begins with `source`
RunMetrics parse_metrics(const std::string& text, const std::string& source);

/// One panel per measure that a run has, with one series per run: the median over its seeds, with the range
/// from minimum to maximum as a band. A seed that stopped early keeps its last value. A series has at most
/// about a thousand points: means over consecutive ones. All panels have the same colours and one legend.
///
/// Errors  UsageError if some runs count epochs and others steps, or two have the same name
report::Chart run_curves(const std::string& title, const std::vector<RunMetrics>& runs);

/// One row per run: the last value of each measure, and the lowest validation loss with its epoch or step;
/// medians over the seeds. Errors  as run_curves
report::Table run_table(const std::vector<RunMetrics>& runs);

} // namespace mneme::learning
