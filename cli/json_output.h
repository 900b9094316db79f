// SPDX-License-Identifier: MIT

/// JSON as the verbs print it.
#pragma once

#include <ostream>

#include <nlohmann/json.hpp>

namespace mneme::cli {

/// One document, indented; text that is no UTF-8 (a file name may be anything) gets replacement characters.
inline void print_json(std::ostream& out, const nlohmann::ordered_json& document) {
  out << document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

} // namespace mneme::cli
