// SPDX-License-Identifier: MIT

/// Reports of finished experiments: HTML page, Markdown, JSON and summary table.
#pragma once

#include <span>
#include <string>

#include <nlohmann/json.hpp>

#include "experiments/runner.h"
#include "report/page.h"

namespace mneme::experiments {

/// Table with published and measured values, tolerances and verdicts.
report::Table comparison_table(const ComparisonTable& comparisons);

/// Summary of a table, such as "12 values, all within their tolerance".
std::string summary_of(const ComparisonTable& comparisons);
/// Summary of an outcome, such as "12 values met, 1 missed, 3 not compared (quick run)" or "not run".
std::string summary_of(const Outcome& outcome);

/// Page with a summary and one section per experiment. Links are relative to the folder of the page.
report::Page page_of(std::span<const Finished> findings, const RunSettings& settings);

/// All comparisons and tables as Markdown. `command` is the command line that generates it.
std::string markdown_of(std::span<const Finished> findings, const RunSettings& settings,
                        const std::string& command);

/// Number of met and missed values, one row per experiment.
report::Table summary_table(std::span<const Finished> findings);

nlohmann::ordered_json to_json(std::span<const Finished> findings);

} // namespace mneme::experiments
