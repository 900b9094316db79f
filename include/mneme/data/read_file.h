// SPDX-License-Identifier: MIT

/// Reads a complete file into memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

namespace mneme::data {

/// True for "-" and for the paths of file descriptor 0, such as "/dev/stdin". A file named "-" is written
/// "./-".
bool is_standard_input(const std::filesystem::path& path);

/// The bytes of a file. Pipes are read to their end, and so is standard input, which may be a file, a pipe, a
/// socket or a terminal. From both, at most 1 GiB is read.
///
/// Errors  DataError if the file does not exist, is unreadable or empty, or is a folder or a device; if a
///         pipe or standard input has more than 1 GiB
std::vector<std::byte> read_file(const std::filesystem::path& path);

} // namespace mneme::data
