// SPDX-License-Identifier: MIT

#include "mneme/data/folders.h"

#include <cstdlib>

#include "mneme/core/error.h"

namespace mneme::data {
namespace {

/// A variable that is set to nothing counts as absent.
std::optional<std::filesystem::path> folder_in(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? std::optional<std::filesystem::path>(value) : std::nullopt;
}

} // namespace

std::filesystem::path data_folder(const std::filesystem::path& given) {
  if (!given.empty()) {
    return given;
  }
  if (const auto own = folder_in("MNEME_DATA")) {
    return *own;
  }
  if (const auto shared = folder_in("XDG_DATA_HOME")) {
    return *shared / "mneme";
  }
  if (const auto home = folder_in("HOME")) {
    return *home / ".local" / "share" / "mneme";
  }
  throw UsageError(
      "there is no folder for data: none is given, and neither MNEME_DATA, XDG_DATA_HOME nor HOME "
      "is set.\n  Give one with --data, or set MNEME_DATA.");
}

std::optional<std::filesystem::path> find_data_file(const std::filesystem::path& folder,
                                                    const std::string& set,
                                                    std::initializer_list<const char*> names) {
  for (const char* name : names) {
    for (const std::filesystem::path& place : {folder / set, folder}) {
      for (const char* suffix : {"", ".gz"}) {
        std::filesystem::path file = place / (std::string(name) + suffix);
        std::error_code ignored;
        if (std::filesystem::is_regular_file(file, ignored)) {
          return file;
        }
      }
    }
  }
  return std::nullopt;
}

} // namespace mneme::data
