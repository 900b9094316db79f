// SPDX-License-Identifier: MIT

/// Outcomes for readers: an offline page, Markdown, JSON, one line each.
#pragma once

#include <span>
#include <string>

#include <nlohmann/json.hpp>

#include "experiments/runner.h"
#include "report/page.h"

namespace mneme::experiments {

/// Published beside measured, row by row.
report::Table comparison_table(const ComparisonTable& comparisons);

/// How a table of comparisons went, such as "12 values, all within their tolerance".
std::string summary_of(const ComparisonTable& comparisons);
/// Such as "12 values met, 1 missed, 3 not compared (quick run)"; "not run".
std::string summary_of(const Outcome& outcome);

/// The report: summary, then every experiment with its claim first. Links lead to the files beside the page.
report::Page page_of(std::span<const Finished> findings, const RunSettings& settings);

/// Published beside measured and what else was measured, of every experiment, as Markdown. `command` is what made it.
std::string markdown_of(std::span<const Finished> findings, const RunSettings& settings,
                        const std::string& command);

/// One row per experiment: values met and missed.
report::Table summary_table(std::span<const Finished> findings);

nlohmann::ordered_json to_json(std::span<const Finished> findings);

} // namespace mneme::experiments
