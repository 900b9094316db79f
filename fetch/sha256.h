// SPDX-License-Identifier: MIT

/// SHA-256 of files.
#pragma once

#include <filesystem>
#include <string>

#include "mneme/core/sha256.h"

namespace mneme::fetch {

/// SHA-256 of the contents of a file, as 64 lower-case hexadecimal digits.
///
/// Errors  DataError if the file cannot be read; Interrupted
std::string sha256_of_file(const std::filesystem::path& path);

} // namespace mneme::fetch
