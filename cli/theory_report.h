// SPDX-License-Identifier: MIT

/// Output of `mneme theory`: the results of one quantity at many points.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/theory_quantities.h"
#include "mneme/core/progress.h"
#include "report/chart.h"
#include "report/table.h"

namespace mneme::cli {

/// The results of a quantity.
struct TheoryRun {
  const Quantity* quantity = nullptr;
  std::vector<size_t> choices; ///< per choice of the quantity: index of the selected word
  std::vector<SettingPoint> points;
  std::vector<QuantityRows> rows;              ///< per point
  std::vector<std::vector<report::Cell>> fits; ///< per point, if the quantity has a second table
};

/// Evaluates all points in parallel.
///
/// Errors  UsageError if a theory function rejects its arguments; Interrupted
TheoryRun run_theory(const Quantity& quantity, const std::vector<size_t>& choices,
                     const std::vector<SettingPoint>& points, Progress& progress);

/// All settings and results, in columns.
report::Table theory_table(const TheoryRun& run);
/// The second table, with one row per point; without rows if the quantity has none.
report::Table theory_fit_table(const TheoryRun& run);
/// Text output. Settings that are the same in all rows are listed once, above the table.
std::string theory_text(const TheoryRun& run, const report::TextStyle& style);
/// Version, verb, quantity and settings, as in config.json.
nlohmann::ordered_json theory_config(const TheoryRun& run);
nlohmann::ordered_json theory_json(const TheoryRun& run);

/// The chart of the results.
struct TheoryChart {
  std::optional<report::Chart> chart; ///< empty: see `note`
  std::string note;                   ///< the reason why there is no chart, or the columns that it leaves out
};
/// The chart over the setting with the most values. There is none if no setting varies, if no column is
/// drawn, or if there would be more than 20 lines; of more than 8 lines, only the first column is drawn.
TheoryChart theory_chart(const TheoryRun& run);

/// Writes results.csv, fits.csv for a quantity with a second table, index.html and the chart, if there is
/// one, as QUANTITY.vl.json and QUANTITY.csv. Returns the names of the files as text for the output.
std::string write_theory_files(const TheoryRun& run, const TheoryChart& chart,
                               const std::filesystem::path& folder);

} // namespace mneme::cli
