// SPDX-License-Identifier: MIT

/// Software and hardware of a run, written to env.json and to the object "environment" of the JSON output. It
/// may differ between runs with the same settings.
#pragma once

#include <nlohmann/json.hpp>

#include "mneme/core/cpu.h"
#include "mneme/core/version.h"

namespace mneme::cli {

inline nlohmann::ordered_json environment_json(int threads) {
  return {{"version", version()}, {"cpu", cpu_model()}, {"cpu_target", cpu_target()}, {"threads", threads}};
}

} // namespace mneme::cli
