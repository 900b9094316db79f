// SPDX-License-Identifier: MIT

/// Files that are either whole or not there: written beside the target, synced, then renamed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace mneme {

/// Writes `bytes` to `path`, replacing what was there only once everything is on disk. A link is followed,
/// the permissions of the file replaced are kept; a pipe or device is written to as it is.
///
/// Errors  OutputError (path, what the system said, how to fix); the old file, if any, is then untouched
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// Creates the folder (and its parents) if needed and makes sure that a file can be written in it.
///
/// Errors  OutputError
void make_output_folder(const std::filesystem::path& folder);

} // namespace mneme
