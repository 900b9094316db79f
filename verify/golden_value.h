// SPDX-License-Identifier: MIT

/// One value of a golden file and where it stands, so that a wrong file is answered with its JSON path.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace mneme::verify {

/// Errors  every accessor throws DataError (JSON path, what is expected, what was found) where the value is
///         not what it asks for
class GoldenValue {
public:
  explicit GoldenValue(const nlohmann::json& json, std::string path = "")
      : json_(&json), path_(std::move(path)) {}

  const std::string& path() const { return path_; } ///< such as "/cases/3/n"; empty for the whole file

  bool has(const char* key) const;
  GoldenValue at(const char* key) const;
  /// Items of a list.
  size_t size() const;
  GoldenValue at(size_t index) const;
  /// The list at `key`; it must have `size` items.
  GoldenValue list(const char* key, size_t size) const;

  double number() const; ///< "nan", "inf" and "-inf" stand as text
  int64_t integer() const;
  int64_t integer_between(int64_t least, int64_t most) const;
  std::string text() const;
  bool truth() const; ///< true or false
  bool is_null() const;
  bool is_object() const;
  std::string json() const;              ///< the value as it stands in the file
  std::vector<std::string> keys() const; ///< of an object
  std::vector<double> numbers() const;

  /// Log of a count written as a number, as digits or as "2^64"; none for null.
  std::optional<double> log_count() const;
  /// The count itself; null is refused.
  double count() const;

  [[noreturn]] void refuse(const std::string& expected) const;

private:
  const nlohmann::json* json_;
  std::string path_;
};

/// What a file says, short and safe to print.
std::string shown(const nlohmann::json& json);

} // namespace mneme::verify
