// SPDX-License-Identifier: MIT

/// Output of `mneme inspect` for transformers: tables, JSON document, figures and page.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "learning/heads.h"
#include "report/table.h"

namespace mneme::cli {

/// One line: type, size and texts.
std::string heads_summary(const learning::HeadsInspection& inspection);
/// One line: how many heads are of each kind, and above the betas of Sparse Distributed Memory.
std::string kinds_summary(const learning::HeadsInspection& inspection);

/// The heads with the largest betas, at most `count`, in falling order of beta.
report::Table largest_betas_table(const learning::HeadsInspection& inspection, size_t count);
/// One row per text, layer and head, with all numbers.
report::Table heads_table(const learning::HeadsInspection& inspection);

/// The document is described in docs/how-to/inspect_a_transformer.md.
nlohmann::ordered_json heads_json(const learning::HeadsInspection& inspection);

/// Writes index.html, heads.csv, layers.csv and the figures (.vl.json, .csv) into an existing folder.
///
/// Errors  OutputError
void write_heads_report(const std::filesystem::path& folder, const learning::HeadsInspection& inspection,
                        const std::string& model);

} // namespace mneme::cli
