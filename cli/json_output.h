// SPDX-License-Identifier: MIT

/// JSON output of the verbs.
#pragma once

#include <ostream>

#include <nlohmann/json.hpp>

#include "report/json_text.h"

namespace mneme::cli {

/// Prints one indented document.
inline void print_json(std::ostream& out, const nlohmann::ordered_json& document) {
  out << report::json_text(document);
}

} // namespace mneme::cli
