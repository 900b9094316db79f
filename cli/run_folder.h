// SPDX-License-Identifier: MIT

/// The rule for output folders, shared by every verb that writes one: a folder holds one run.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace mneme::cli {

/// Creates the folder, or checks that the run it holds may be resumed or repeated there. Nothing in it is changed;
/// the caller writes config.json, with at least the entries of `run`, before or together with its results.
///
/// `run` holds the entries of config.json that identify the run: always "verb", and every setting on which results
/// depend that may not be overwritten. An earlier config.json must hold the same values. The numbers named in
/// `may_grow` may also be larger than before, so that a run can be resumed with more epochs or seeds.
///
/// Errors  UsageError if the folder holds another run, a config.json that no run has written, or results without a
///         config.json; OutputError if it cannot be created or written to
void open_run_folder(const std::filesystem::path& folder, const nlohmann::ordered_json& run,
                     const std::vector<std::string>& may_grow = {});

} // namespace mneme::cli
