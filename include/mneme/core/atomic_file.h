// SPDX-License-Identifier: MIT

/// Atomic writing of files: written under a temporary name in the same folder, synced, then renamed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace mneme {

/// Writes `bytes` to `path`. An existing file is replaced only once all bytes are on disk, and its
/// permissions are kept. A symbolic link is followed, also to a file that does not exist yet; pipes and
/// devices are written to directly.
///
/// Errors  OutputError (path, error of the system, how to fix); an existing file is then unchanged
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

enum class OutputKind { file, folder };

/// Checks that a file can be written to `path`, in a folder that exists, or that files can be written to a
/// folder that exists or can be created. Creates nothing. To be called before a long computation.
///
/// Errors  OutputError
void require_writable(const std::filesystem::path& path, OutputKind kind);

/// Creates the folder (and its parents) if needed and checks that files can be written in it.
///
/// Errors  OutputError
void make_output_folder(const std::filesystem::path& folder);

} // namespace mneme
