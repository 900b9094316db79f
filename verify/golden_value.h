// SPDX-License-Identifier: MIT

/// A value of a golden file together with its JSON path, for errors that name the place in the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace mneme::verify {

/// A JSON value and its path.
///
/// Errors  every accessor throws DataError (JSON path, expected, found) where the value is of another kind
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

  double number() const; ///< "nan", "inf" and "-inf" are written as strings
  int64_t integer() const;
  int64_t integer_between(int64_t min, int64_t max) const;
  std::string text() const;
  bool boolean() const;
  bool is_null() const;
  bool is_object() const;
  std::string json() const;              ///< the value as JSON text
  std::vector<std::string> keys() const; ///< of an object
  std::vector<double> numbers() const;

  /// Logarithm of a count that is written as a number, as digits or as "2^64"; none for null.
  std::optional<double> log_count() const;
  /// The count itself; null is an error.
  double count() const;

  [[noreturn]] void fail(const std::string& expected) const;

private:
  const nlohmann::json* json_;
  std::string path_;
};

/// The text of a value that names a folder next to the golden file. Errors  DataError
std::string folder_name(const GoldenValue& value);

/// A JSON value in short form, safe to print.
std::string summary(const nlohmann::json& json);

} // namespace mneme::verify
