// SPDX-License-Identifier: MIT

/// Error messages of layers: the layer, the problem with both sides of the comparison, and how to fix it.
#pragma once

#include <string>

#include "mneme/core/error.h"

namespace mneme::nn {

/// Throws a UsageError with the message "mneme::nn::LAYER: PROBLEM", and the fix on a second line unless the
/// problem states it.
[[noreturn]] inline void refuse(const char* layer, const std::string& problem,
                                const std::string& how_to_fix = {}) {
  throw UsageError("mneme::nn::" + std::string(layer) + ": " + problem +
                   (how_to_fix.empty() ? "" : "\n  " + how_to_fix));
}

} // namespace mneme::nn
