// SPDX-License-Identifier: MIT

#include "verify/golden_value.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/theory/log_count.h"

namespace mneme::verify {

std::string folder_name(const GoldenValue& value) {
  std::string name = value.text();
  if (name.empty() || name == ".." || name.find('/') != std::string::npos) {
    value.fail("the name of a folder next to this file");
  }
  return name;
}

std::string summary(const nlohmann::json& json) {
  if (json.is_object() || json.is_array()) {
    return json.is_object() ? "an object" : fmt::format("a list of {}", json.size());
  }
  constexpr size_t kMaxLength = 60;
  const std::string text = json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return text.size() <= kMaxLength ? text : text.substr(0, kMaxLength) + "...";
}

void GoldenValue::fail(const std::string& expected) const {
  throw DataError(
      fmt::format("{}: expected {}, found {}.", path_.empty() ? "/" : path_, expected, summary(*json_)));
}

bool GoldenValue::has(const char* key) const {
  return json_->is_object() && json_->contains(key);
}

GoldenValue GoldenValue::at(const char* key) const {
  if (!json_->is_object()) {
    fail(fmt::format("an object with the field '{}'", key));
  }
  const auto found = json_->find(key);
  if (found == json_->end()) {
    throw DataError(fmt::format("{}/{}: this field is missing.", path_, key));
  }
  return GoldenValue(*found, fmt::format("{}/{}", path_, key));
}

bool GoldenValue::is_null() const {
  return json_->is_null();
}

bool GoldenValue::is_object() const {
  return json_->is_object();
}

std::string GoldenValue::json() const {
  return json_->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::vector<std::string> GoldenValue::keys() const {
  if (!json_->is_object()) {
    fail("an object");
  }
  std::vector<std::string> keys;
  for (const auto& [key, value] : json_->items()) {
    keys.push_back(key);
  }
  return keys;
}

size_t GoldenValue::size() const {
  if (!json_->is_array()) {
    fail("a list");
  }
  return json_->size();
}

GoldenValue GoldenValue::at(size_t index) const {
  if (index >= size()) {
    fail(fmt::format("a list with an item {}", index));
  }
  return GoldenValue((*json_)[index], fmt::format("{}/{}", path_, index));
}

GoldenValue GoldenValue::list(const char* key, size_t size) const {
  GoldenValue value = at(key);
  if (value.size() != size) {
    value.fail(fmt::format("a list of {}", size));
  }
  return value;
}

double GoldenValue::number() const {
  if (json_->is_number()) {
    return json_->get<double>();
  }
  if (json_->is_string()) {
    const auto& text = json_->get_ref<const std::string&>();
    if (text == "nan") {
      return std::numeric_limits<double>::quiet_NaN();
    }
    if (text == "inf" || text == "-inf") {
      return text[0] == '-' ? -std::numeric_limits<double>::infinity()
                            : std::numeric_limits<double>::infinity();
    }
  }
  fail(R"(a number, "nan", "inf" or "-inf")");
}

int64_t GoldenValue::integer() const {
  constexpr double kExact = 9007199254740992; // 2^53
  if (json_->is_number()) {
    const auto value = json_->get<double>();
    if (value == std::trunc(value) && std::abs(value) <= kExact) {
      return static_cast<int64_t>(value);
    }
  }
  fail("a whole number");
}

int64_t GoldenValue::integer_between(int64_t min, int64_t max) const {
  const int64_t value = integer();
  if (value < min || value > max) {
    fail(fmt::format("a whole number between {} and {}", min, max));
  }
  return value;
}

std::string GoldenValue::text() const {
  if (!json_->is_string()) {
    fail("a string");
  }
  return json_->get<std::string>();
}

bool GoldenValue::boolean() const {
  if (!json_->is_boolean()) {
    fail("true or false");
  }
  return json_->get<bool>();
}

std::vector<double> GoldenValue::numbers() const {
  std::vector<double> values;
  for (size_t i = 0; i < size(); ++i) {
    values.push_back(at(i).number());
  }
  return values;
}

std::optional<double> GoldenValue::log_count() const {
  if (json_->is_null()) {
    return std::nullopt;
  }
  if (!json_->is_number() && !json_->is_string()) {
    fail("a count or null");
  }
  try {
    return theory::parse_log_count(json_->is_string() ? json_->get<std::string>() : json_->dump());
  } catch (const UsageError&) {
    fail("a count of at least 1, such as 1000000 or \"2^64\"");
  }
}

double GoldenValue::count() const {
  const std::optional<double> log = log_count();
  if (!log) {
    fail("a count");
  }
  return std::exp(*log);
}

} // namespace mneme::verify
