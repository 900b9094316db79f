// SPDX-License-Identifier: MIT

/// `mneme recall --counts`: recall over the number of stored patterns.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/recall_report.h"

namespace mneme::cli {

/// The rows of the first `count` patterns.
struct CountRows {
  int64_t count = 0;
  std::vector<trials::SweepRow> rows = {};
};

/// Stores the first of the patterns, for each of the ascending counts, in all memories.
///
/// Errors  UsageError if there are fewer patterns than a count, and as `trials::sweep_recall`
std::vector<CountRows> recall_counts(const RecallRun& run, const std::vector<int64_t>& counts,
                                     Progress& progress);

std::string counts_text(const RecallRun& run, const std::vector<CountRows>& curve,
                        const report::TextStyle& style);
std::string counts_csv(const std::vector<CountRows>& curve);
nlohmann::ordered_json counts_json(const RecallRun& run, const std::vector<CountRows>& curve, int threads);
/// Writes counts.csv, the chart "counts", index.html, config.json and env.json.
void write_counts_files(const RecallRun& run, const std::vector<CountRows>& curve,
                        const std::filesystem::path& folder, int threads);

} // namespace mneme::cli
