// SPDX-License-Identifier: MIT

#include "mneme/core/file_exists.h"

#include <system_error>

#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme {

bool file_exists(const std::filesystem::path& path) {
  std::error_code error; // only of files that may exist
  const bool exists = std::filesystem::exists(path, error);
  if (error) {
    throw DataError(printable(path.string()) + ": cannot be read: " + error.message() +
                    ".\n  Check the path and the permissions of its folders.");
  }
  return exists;
}

} // namespace mneme
