// SPDX-License-Identifier: MIT

#include "json/strict_json.h"

#include <set>
#include <vector>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme {

template <class Json>
Json parse_strict_json(std::string_view text, const std::string& source, const StrictJsonOptions& options) {
  const auto fail = [&](const std::string& problem) {
    throw DataError(
        fmt::format("{}: {}.{}{}", source, problem, options.advice.empty() ? "" : "\n  ", options.advice));
  };
  std::vector<std::set<std::string>> open_objects;
  const auto check = [&](int depth, typename Json::parse_event_t event, Json& value) {
    if (depth > options.max_depth) {
      fail(fmt::format("the JSON is nested more than {} levels deep", options.max_depth));
    }
    if (event == Json::parse_event_t::object_start) {
      open_objects.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      open_objects.pop_back();
    } else if (event == Json::parse_event_t::key) {
      if (const auto& key = value.template get_ref<const std::string&>();
          !open_objects.back().insert(key).second) {
        fail(fmt::format("the key {:?} occurs twice", key));
      }
    }
    return true;
  };
  Json parsed;
  try {
    parsed = Json::parse(text.begin(), text.end(), check);
  } catch (const typename Json::exception& error) {
    fail(fmt::format("invalid JSON ({})", error.what()));
  }
  if (options.must_be_object && !parsed.is_object()) {
    fail("not a JSON object");
  }
  return parsed;
}

template nlohmann::json parse_strict_json(std::string_view, const std::string&, const StrictJsonOptions&);
template nlohmann::ordered_json parse_strict_json(std::string_view, const std::string&,
                                                  const StrictJsonOptions&);

} // namespace mneme
