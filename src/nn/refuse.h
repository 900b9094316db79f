// SPDX-License-Identifier: MIT

/// Errors of layers: which layer, what is wrong with both sides of the comparison, how to fix it.
#pragma once

#include <string>

#include "mneme/core/error.h"

namespace mneme::nn {

[[noreturn]] inline void refuse(const char* layer, const std::string& what, const std::string& how_to_fix) {
  throw UsageError("mneme::nn::" + std::string(layer) + ": " + what + "\n  " + how_to_fix);
}

} // namespace mneme::nn
