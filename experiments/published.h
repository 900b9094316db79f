// SPDX-License-Identifier: MIT

/// The published numbers that experiments are compared with, as JSON that the build puts into the program.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

namespace mneme::experiments {

/// A file of experiments/published or tests/golden by its name without ".json", such as "sdm_tables". Parsed
/// once; any thread may read it.
///
/// Errors  UsageError that lists the names there are
const nlohmann::json& published(std::string_view name);

} // namespace mneme::experiments
