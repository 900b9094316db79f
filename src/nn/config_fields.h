// SPDX-License-Identifier: MIT

/// Typed access to the fields of a config.json.
#pragma once

#include <array>
#include <set>
#include <string>
#include <vector>

#include <c10/util/StringUtil.h>
#include <nlohmann/json.hpp>

namespace mneme::nn {

// Larger sizes fit no machine, and products of two sizes up to this still fit int64.
constexpr int64_t kMaxSize = int64_t{1} << 40;

template <class Kind> struct Name {
  Kind kind;
  const char* name;
};
template <class Kind, size_t count> using Names = std::array<Name<Kind>, count>;

const char* name_of(const auto& names, auto kind) {
  return std::ranges::find(names, kind, [](const auto& known) { return known.kind; })->name;
}

/// Fields that were never queried are unknown fields. All functions throw a DataError that begins with
/// `source` for a field of another type or value than they return.
class ConfigFields {
public:
  /// Parses the text of the file. `model`: name of the kind of model, for messages, such as "LEAP"
  ConfigFields(std::string_view text, std::string source, const char* model);

  bool has(const char* key);
  bool has_value(const char* key) { return has(key) && !json_.at(key).is_null(); }

  bool has_whole_number(const char* key) { return has(key) && json_.at(key).is_number_integer(); }

  /// A required integer between `min` and kMaxSize.
  int64_t integer(const char* key, int64_t min = 1);
  std::vector<int64_t> integers(const char* key, int64_t min);
  double number(const char* key) const;
  bool boolean(const char* key) const;
  /// `fallback` if the field is absent or null.
  double number_or(const char* key, double fallback) { return has_value(key) ? number(key) : fallback; }
  bool boolean_or(const char* key, bool fallback) { return has_value(key) ? boolean(key) : fallback; }
  template <class Names> auto choice(const char* key, const Names& names) const {
    std::string list;
    for (const auto& [kind, name] : names) {
      if (json_.at(key) == name) {
        return kind;
      }
      list += c10::str(list.empty() ? "" : ", ", "\"", name, "\"");
    }
    expected(c10::str("\"", key, "\""), json_.at(key), "one of " + list);
  }

  /// The kind of a transformer, also without "model_type"; empty if the fields do not tell.
  std::string transformer_type() const;
  /// The value of "model_type" must be `name`, if there is one.
  void check_model_type(const char* name);
  /// A field with only one valid value in this kind of model; it may also be absent or null.
  void fixed(const char* key, const nlohmann::ordered_json& only);
  /// A field that does not change the results.
  void ignore(const char* key) { queried_.insert(key); }

  /// Adds a note for each unknown field. Errors  DataError for one whose name is similar to a known one
  void finish(std::vector<std::string>* notes) const;

  const std::string& source() const { return source_; }
  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const;
  [[noreturn]] void expected(const std::string& name, const nlohmann::ordered_json& found,
                             const std::string& what) const;

private:
  int64_t integer(const nlohmann::ordered_json& value, const std::string& name, int64_t min) const;

  std::string source_, model_;
  nlohmann::ordered_json json_;
  std::set<std::string> queried_;
};

} // namespace mneme::nn
