// SPDX-License-Identifier: MIT

/// JSON as text, whatever bytes its strings are made of.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace mneme::report {

/// The document and a line feed, indented by `indent` blanks per level, or on one line for -1. Text that is no UTF-8 (a
/// file name may be anything) gets replacement characters instead of ending the run; `printable` (core/text.h) keeps
/// its bytes readable.
template <class Json> std::string json_text(const Json& document, int indent = 2) {
  return document.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace mneme::report
