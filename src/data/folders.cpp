// SPDX-License-Identifier: MIT

#include "mneme/data/folders.h"

#include <algorithm>
#include <cstdlib>

#include "mneme/core/error.h"

namespace mneme::data {
namespace {

/// Value of an environment variable; an empty one counts as not set.
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
      "the folder for data is unknown: none was given, and none of MNEME_DATA, XDG_DATA_HOME and HOME "
      "is set.\n  Set it with --data or MNEME_DATA.");
}

std::optional<std::filesystem::path> find_data_file(const std::filesystem::path& folder,
                                                    const std::string& set,
                                                    std::initializer_list<const char*> names) {
  std::string capitals = set; // torchvision's name of the folder
  std::transform(capitals.begin(), capitals.end(), capitals.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  for (const std::string name : names) {
    std::string dotted = name; // some archives of MNIST use this name: train-images.idx3-ubyte
    if (const size_t at = name.find("-idx"); at != std::string::npos) {
      dotted[at] = '.';
    }
    for (const std::filesystem::path& place :
         {folder / set, folder, folder / set / "raw", folder / capitals / "raw", folder / "raw"}) {
      for (const std::string& file_name : {name, name + ".gz", dotted, dotted + ".gz"}) {
        std::filesystem::path file = place / file_name;
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
