// SPDX-License-Identifier: MIT

/// What may differ between equal runs: env.json and the object "environment" of JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "mneme/core/cpu.h"
#include "mneme/core/version.h"

namespace mneme::cli {

inline nlohmann::ordered_json environment_json(int threads) {
  return {{"version", version()}, {"cpu", cpu_model()}, {"cpu_target", cpu_target()}, {"threads", threads}};
}

} // namespace mneme::cli
