// SPDX-License-Identifier: MIT

/// The one reader of JSON that comes from files: a key that occurs twice is refused instead of the last one winning, and
/// nesting is limited, so that messages and destructors, which descend into it, stay within the stack.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace mneme {

struct StrictJsonOptions {
  int deepest = 64;             ///< levels of nesting
  bool must_be_object = true;   ///< else any value is accepted
  std::string_view advice = {}; ///< last sentence of each message; empty: none
};

/// Json: nlohmann::json, or nlohmann::ordered_json to keep the order of keys.
///
/// Errors  DataError: "SOURCE: what is wrong.\n  ADVICE"
template <class Json = nlohmann::json>
Json parse_strict_json(std::string_view text, const std::string& source,
                       const StrictJsonOptions& options = {});

extern template nlohmann::json parse_strict_json(std::string_view, const std::string&,
                                                 const StrictJsonOptions&);
extern template nlohmann::ordered_json parse_strict_json(std::string_view, const std::string&,
                                                         const StrictJsonOptions&);

} // namespace mneme
