// SPDX-License-Identifier: MIT

/// A whole file as bytes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

namespace mneme::data {

/// True for "-" and for the names of descriptor 0, such as "/dev/stdin". A file named "-" is "./-".
bool is_standard_input(const std::filesystem::path& path);

/// Pipes are read to their end, and so is standard input, whatever it is: a file, a pipe, a socket or a terminal.
///
/// Errors  DataError if the file is missing, unreadable or empty, or is a folder or a device
std::vector<std::byte> read_file(const std::filesystem::path& path);

} // namespace mneme::data
