// SPDX-License-Identifier: MIT

/// Serialises JSON without throwing, even if its strings are not valid UTF-8.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace mneme::report {

/// The document followed by a line feed, indented by `indent` spaces per level, or on one line if it is -1.
/// Invalid UTF-8 (file names may contain any bytes) becomes replacement characters instead of an exception;
/// use `printable` (core/text.h) to keep the bytes readable.
template <class Json> std::string json_text(const Json& document, int indent = 2) {
  return document.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace mneme::report
