// SPDX-License-Identifier: MIT

/// JSON as the verbs print it.
#pragma once

#include <ostream>

#include <nlohmann/json.hpp>

#include "report/json_text.h"

namespace mneme::cli {

/// One document, indented.
inline void print_json(std::ostream& out, const nlohmann::ordered_json& document) {
  out << report::json_text(document);
}

} // namespace mneme::cli
