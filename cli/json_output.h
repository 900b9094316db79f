// SPDX-License-Identifier: MIT

/// JSON output of the verbs.
#pragma once

#include <ostream>
#include <sstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "report/json_text.h"

namespace mneme::cli {

/// Output of a verb with --json: keeps the document of `print_json` as it is, since large ones take long to
/// write and to parse again.
class JsonBuffer : public std::ostringstream {
public:
  nlohmann::ordered_json document; ///< null: none was printed, or it is text in the stream
};

/// Prints one indented document.
inline void print_json(std::ostream& out, nlohmann::ordered_json document) {
  if (auto* buffer = dynamic_cast<JsonBuffer*>(&out)) {
    buffer->document = std::move(document);
  } else {
    out << report::json_text(document);
  }
}

} // namespace mneme::cli
