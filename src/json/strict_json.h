// SPDX-License-Identifier: MIT

/// Strict parser for all JSON files: duplicate keys are an error instead of the last one winning, and the
/// nesting depth is limited, so that recursive functions and destructors do not overflow the stack.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace mneme {

struct StrictJsonOptions {
  int max_depth = 64;         ///< maximum nesting depth
  bool must_be_object = true; ///< false: any JSON value is accepted
  bool is_line = false; ///< the text is a line of a file, which `source` names: messages have columns only
  std::string_view advice = {}; ///< last sentence of each error message; empty: none
};

/// Parses a JSON document. `Json` is nlohmann::json, or nlohmann::ordered_json to keep the order of keys.
/// `source` is the name of the document in messages.
///
/// Errors  DataError "SOURCE: PROBLEM.\n  ADVICE"
template <class Json = nlohmann::json>
Json parse_strict_json(std::string_view text, const std::string& source,
                       const StrictJsonOptions& options = {});

extern template nlohmann::json parse_strict_json(std::string_view, const std::string&,
                                                 const StrictJsonOptions&);
extern template nlohmann::ordered_json parse_strict_json(std::string_view, const std::string&,
                                                         const StrictJsonOptions&);

} // namespace mneme
