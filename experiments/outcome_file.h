// SPDX-License-Identifier: MIT

/// Outcomes on disk: an experiment's folder, from which a later run takes what is finished.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>

#include <nlohmann/json.hpp>

#include "experiments/experiment.h"

namespace mneme::experiments {

/// The folder of one experiment within a run's: `folder`/sdm/softmax-circle.
std::filesystem::path folder_of(const std::filesystem::path& folder, const Experiment& experiment);

/// Everything an outcome depends on. Outcomes of equal keys are equal.
nlohmann::ordered_json key_of(const Experiment& experiment, const RunSettings& settings);

/// Writes figures (name.vl.json, name.csv), pictures (name.png) and, last of all, outcome.json.
///
/// Errors  OutputError
void save_outcome(const std::filesystem::path& folder, const Experiment& experiment,
                  const RunSettings& settings, const Outcome& outcome);

/// What lies in the experiment's folder: an outcome of the same key; nothing (no outcome.json, or one of another
/// key); or, as text, why outcome.json cannot be read.
using Found = std::variant<std::monostate, Outcome, std::string>;
Found find_outcome(const std::filesystem::path& folder, const Experiment& experiment,
                   const RunSettings& settings);

} // namespace mneme::experiments
