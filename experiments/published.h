// SPDX-License-Identifier: MIT

/// Published values for comparison with experiments, as JSON embedded into the program.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

namespace mneme::experiments {

/// A file of experiments/published or tests/golden by its name without ".json", such as "sdm_tables". Parsed
/// once; thread-safe.
///
/// Errors  UsageError with the list of available names
const nlohmann::json& published(std::string_view name);

} // namespace mneme::experiments
