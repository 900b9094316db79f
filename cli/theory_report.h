// SPDX-License-Identifier: MIT

/// What `mneme theory` shows and writes: one quantity at many points.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/theory_quantities.h"
#include "mneme/core/progress.h"
#include "report/table.h"

namespace mneme::cli {

/// A quantity, evaluated.
struct TheoryRun {
  const Quantity* quantity = nullptr;
  std::vector<size_t> choices; ///< places in the words of quantity->choices
  std::vector<SettingPoint> points;
  std::vector<QuantityRows> rows; ///< of each point
};

/// Evaluates all points, in parallel. Errors  UsageError of the theory, Interrupted
TheoryRun run_theory(const Quantity& quantity, const std::vector<size_t>& choices,
                     const std::vector<SettingPoint>& points, Progress& progress);

/// Every setting and every result, in columns.
report::Table theory_table(const TheoryRun& run);
/// For people: what does not change is said once, above the table.
std::string theory_text(const TheoryRun& run, bool colour);
nlohmann::ordered_json theory_json(const TheoryRun& run);
/// Writes results.csv, QUANTITY.vl.json and QUANTITY.csv (the chart, where something changes) and index.html;
/// returns their names for people.
std::string write_theory_files(const TheoryRun& run, const std::filesystem::path& folder);

} // namespace mneme::cli
