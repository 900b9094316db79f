// SPDX-License-Identifier: MIT

/// File operations of a durable memory behind one interface, so that tests can record them and make them
/// fail.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace mneme::store {

/// New file that is written from its beginning to its end.
class NewFile {
public:
  virtual ~NewFile() = default;
  virtual void write(std::span<const std::byte> bytes) = 0;
  virtual void sync() = 0; ///< returns when the bytes are on the disk
};

/// Changes of snapshot files. Errors  OutputError
class FileSystem {
public:
  virtual ~FileSystem() = default;
  /// Replaces an existing file.
  virtual std::unique_ptr<NewFile> create(const std::filesystem::path& path);
  virtual void rename(const std::filesystem::path& from, const std::filesystem::path& to);
  virtual void remove(const std::filesystem::path& path);
  virtual void make_folder(const std::filesystem::path& path);
  virtual void sync_folder(const std::filesystem::path& path);
};

struct Environment {
  const char* vfs = nullptr; ///< name of SQLite's file layer; null: the default
  FileSystem* files = nullptr;

  /// Operations of the system.
  static const Environment& of_system();
};

/// Bytes of a snapshot file, mapped into memory without a copy. Such files never change.
class MappedFile {
public:
  /// Errors  DataError if the file is missing, empty or unreadable
  explicit MappedFile(const std::filesystem::path& path);
  std::span<const std::byte> bytes() const { return bytes_; }

private:
  std::shared_ptr<std::byte[]> mapped_;
  std::span<const std::byte> bytes_;
};

/// Writes `bytes` under a temporary name, syncs and renames. The name is durable after `sync_folder`.
void write_new_file(FileSystem& files, const std::filesystem::path& path, std::span<const std::byte> bytes);

} // namespace mneme::store
