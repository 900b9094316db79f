// SPDX-License-Identifier: MIT

#include "data/strict_json.h"

#include <set>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/source.h"

namespace mneme::data {

using nlohmann::json;

json parse_strict_json(std::string_view text, const std::string& name, const char* part, const char* advice) {
  std::vector<std::set<std::string>> open_objects;
  const auto check = [&](int depth, json::parse_event_t event, json& value) {
    constexpr int kDeepest = 8; // messages print what they find, level by level
    if (depth > kDeepest) {
      fail(name, fmt::format("{}: nested deeper than {} levels", part, kDeepest), advice);
    }
    if (event == json::parse_event_t::object_start) {
      open_objects.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      open_objects.pop_back();
    } else if (event == json::parse_event_t::key) {
      if (const auto& key = value.get_ref<const std::string&>(); !open_objects.back().insert(key).second) {
        fail(name, fmt::format("{}: the key {:?} occurs twice, once expected", part, key), advice);
      }
    }
    return true;
  };
  json object;
  try {
    object = json::parse(text.begin(), text.end(), check);
  } catch (const json::exception& error) {
    fail(name, fmt::format("{}: not JSON ({})", part, error.what()), advice);
  }
  if (!object.is_object()) {
    fail(name, fmt::format("{}: not a JSON object", part), advice);
  }
  return object;
}

} // namespace mneme::data
