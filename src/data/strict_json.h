// SPDX-License-Identifier: MIT

/// JSON objects in files from elsewhere.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace mneme::data {

/// A JSON object in which no key is there twice and nothing is nested deeper than 8 levels.
///
/// Errors  DataError, which calls the text `part` of the file `name` and ends with `advice`
nlohmann::json parse_strict_json(std::string_view text, const std::string& name, const char* part,
                                 const char* advice);

} // namespace mneme::data
