// SPDX-License-Identifier: MIT

/// Outcomes on disk, one folder per experiment, so that a later run can reuse them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>

#include <nlohmann/json.hpp>

#include "experiments/experiment.h"

namespace mneme::experiments {

/// The folder of an experiment within that of a run, such as `folder`/sdm/softmax-circle.
std::filesystem::path folder_of(const std::filesystem::path& folder, const Experiment& experiment);

/// Everything an outcome depends on: id, version, settings and input files. Equal keys have equal outcomes.
nlohmann::ordered_json key_of(const Experiment& experiment, const RunSettings& settings);

/// Writes figures (name.vl.json, name.csv), pictures (name.png) and finally outcome.json.
///
/// Errors  OutputError
void save_outcome(const std::filesystem::path& folder, const Experiment& experiment,
                  const RunSettings& settings, const Outcome& outcome);

/// Result of the search for a stored outcome: the outcome, if its key matches; nothing, if there is no
/// outcome.json or its key differs; or a message why outcome.json cannot be read.
using Found = std::variant<std::monostate, Outcome, std::string>;
Found find_outcome(const std::filesystem::path& folder, const Experiment& experiment,
                   const RunSettings& settings);

} // namespace mneme::experiments
