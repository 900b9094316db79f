// SPDX-License-Identifier: MIT

/// Results of the parts of an experiment on disk, such as trained models, so that a run that was interrupted
/// continues with the parts that are left.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <type_traits>

#include <nlohmann/json.hpp>

namespace mneme::experiments {

/// Parts of one run of an experiment. Calls with different names are safe on several threads at once.
class Parts {
public:
  Parts() = default; ///< keeps nothing
  /// Parts in `folder`, which is created with the first of them. `key` is everything that they depend on
  /// (outcome_file.h): parts with another key are not found.
  Parts(std::filesystem::path folder, const nlohmann::json& key);

  /// `read` of the stored result of a part; nothing if there is none, or its file is damaged.
  template <class Read>
  auto find(const std::string& name, const Read& read) const
      -> std::optional<std::decay_t<decltype(read(nlohmann::json()))>> {
    try {
      const nlohmann::json stored = result_of(name);
      return stored.is_null() ? std::nullopt : std::optional(read(stored));
    } catch (const nlohmann::json::exception&) {
      return {};
    }
  }
  /// Stores a result. `name` is a file name, such as "radius-5". NaN and infinite numbers become null.
  ///
  /// Errors  OutputError
  void keep(const std::string& name, const nlohmann::json& result) const;
  /// A file in which the experiment itself stores the state of a part, such as a checkpoint; its name depends
  /// on the key. Creates the folder. Empty if nothing is kept.
  ///
  /// Errors  OutputError
  std::filesystem::path file(const std::string& name) const;
  /// Deletes all parts, once the outcome of the experiment is stored.
  void clear() const;

private:
  std::filesystem::path file_of(const std::string& name) const;
  nlohmann::json result_of(const std::string& name) const; ///< null if there is none

  std::filesystem::path folder_;
  std::string key_; // as JSON
};

} // namespace mneme::experiments
