// SPDX-License-Identifier: MIT

/// Whether a file exists, without mistaking one that cannot be read for one that does not exist.
#pragma once

#include <filesystem>

namespace mneme {

/// Whether a file or folder exists. Symbolic links are followed.
///
/// Errors  DataError with the reason of the system if this is not known, such as in a folder without
///         permission
bool file_exists(const std::filesystem::path& path);

} // namespace mneme
