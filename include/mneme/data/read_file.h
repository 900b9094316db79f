// SPDX-License-Identifier: MIT

/// A whole file as bytes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

namespace mneme::data {

/// Errors  DataError if the file is missing, unreadable or empty, or is a folder or a device. Pipes are read
///         to their end
std::vector<std::byte> read_file(const std::filesystem::path& path);

} // namespace mneme::data
