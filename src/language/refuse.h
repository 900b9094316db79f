// SPDX-License-Identifier: MIT

/// Errors of this module.
#pragma once

#include <string>

#include "mneme/core/error.h"

namespace mneme::language {

/// Throws a UsageError: "mneme::language: PROBLEM", and the fix on a second line.
[[noreturn]] inline void refuse(const std::string& problem, const std::string& how_to_fix) {
  throw UsageError("mneme::language: " + problem + "\n  " + how_to_fix);
}

} // namespace mneme::language
