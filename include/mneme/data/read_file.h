// SPDX-License-Identifier: MIT

/// Reads files: as a whole, or in parts.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace mneme::data {

/// True for "-" and for the paths of file descriptor 0, such as "/dev/stdin". A file named "-" is written
/// "./-".
bool is_standard_input(const std::filesystem::path& path);

/// The files that match a path with *, ? or [...], in the order of their names (sorted by bytes). A path that
/// exists, or has none of these characters, is returned unchanged.
///
/// Errors  DataError if no file matches
std::vector<std::filesystem::path> expand_wildcards(const std::filesystem::path& path);

/// The bytes of a file. Pipes are read to their end, and so is standard input, which may be a file, a pipe, a
/// socket or a terminal. From both, at most 1 GiB is read.
///
/// Errors  DataError if the file does not exist, is unreadable or empty, or is a folder or a device; if a
///         pipe or standard input has more than 1 GiB
std::vector<std::byte> read_file(const std::filesystem::path& path);

/// The bytes of a file, decompressed if it is compressed by gzip.
///
/// Errors  as above; DataError if the gzip data is damaged, or has more than 2 GiB
std::vector<std::byte> read_decompressed_file(const std::filesystem::path& path);

/// The decompressed bytes of standard input, for programs that can do without it: empty if it is a terminal,
/// closed or empty. Waits at most `wait` for its first byte or its end; without a value if neither came,
/// which is the case of a pipe that another program keeps open and does not write to.
///
/// Errors  as above, except for an empty input
std::optional<std::vector<std::byte>> read_optional_standard_input(std::chrono::milliseconds wait);

class Source;

/// A file that is read in parts, so that it is never in memory as a whole. Pipes and standard input are read
/// to their end first.
class InputFile {
public:
  /// Errors  as `read_file`
  explicit InputFile(const std::filesystem::path& path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  int64_t size() const;
  std::vector<std::byte> first_bytes(int64_t count) const; ///< or all, if there are fewer
  /// Reads to.size() bytes from `offset`.
  ///
  /// Errors  DataError if the file is too short, or cannot be read
  void read(int64_t offset, std::span<std::byte> to) const;
  /// The bytes of the whole file, mapped into memory; null for a pipe and for standard input. They can be
  /// written, which does not change the file, and they outlive this object. Reading them while another
  /// program changes the file in place gives old or new bytes, and ends the program with SIGBUS where the
  /// file has become shorter; a file that is replaced by another one (renamed over it) stays as it was.
  ///
  /// Errors  DataError if the system cannot map the file
  std::shared_ptr<std::byte[]> mapped() const;

  const Source& source() const { return *source_; } ///< for readers of this module

private:
  std::unique_ptr<const Source> source_;
};

} // namespace mneme::data
