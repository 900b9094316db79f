// SPDX-License-Identifier: MIT

/// "Did you mean ...?"
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mneme/core/nearest_word.h"

namespace mneme::cli {

inline std::string nearest(std::string_view text, const std::vector<std::string>& candidates) {
  return nearest_word(text, candidates);
}

} // namespace mneme::cli
