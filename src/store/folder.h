// SPDX-License-Identifier: MIT

/// The folder of a durable memory: names of its files, the lock of the writer, opening the database.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "mneme/core/folder_lock.h"
#include "store/environment.h"
#include "store/sqlite.h"

namespace mneme::store {

std::filesystem::path database_path(const std::filesystem::path& folder);
std::filesystem::path snapshot_folder(const std::filesystem::path& folder);
uint64_t bytes_on_disk(const std::filesystem::path& folder);     ///< of all files of the memory
uint64_t bytes_of_snapshot(const std::filesystem::path& folder); ///< of its snapshot files

/// Lock of the one process that may write to a memory.
///
/// Errors  OutputError if another process has the lock, or if the folder is read-only
FolderLock writer_lock(const std::filesystem::path& folder);

/// A memory that is being created. The destructor removes what was created for it, unless `finish` was
/// called.
class UnfinishedMemory {
public:
  UnfinishedMemory(const std::filesystem::path& folder, const Environment& environment);
  UnfinishedMemory(const UnfinishedMemory&) = delete;
  UnfinishedMemory& operator=(const UnfinishedMemory&) = delete;
  ~UnfinishedMemory();

  /// Creates the folder, and the folders that it is in, and takes its lock.
  ///
  /// Errors  UsageError if there is a memory in the folder
  void begin();
  /// Keeps everything, and returns the lock.
  FolderLock finish();

private:
  std::filesystem::path folder_;
  const Environment& environment_;
  std::vector<std::filesystem::path> new_folders_; ///< that did not exist before, innermost first
  std::optional<FolderLock> lock_;
};

/// Errors  UsageError if there is a memory in the folder
void require_no_memory(const std::filesystem::path& folder);

/// Size and time of change of the database and the presence of a log of changes, with which a reader of a
/// read-only folder notices a writer.
struct FileState {
  int64_t size = 0, seconds = 0, nanoseconds = 0;
  bool has_wal = false;
  bool operator==(const FileState&) const = default;
};
FileState file_state(const std::filesystem::path& folder);

/// Files to which the paths of the database and of its log of changes lead.
struct FileIdentity {
  struct File {
    uint64_t device = 0, inode = 0; ///< 0: there is no file
    bool operator==(const File&) const = default;
  };
  File database, wal;
  bool operator==(const FileIdentity&) const = default;
};
FileIdentity file_identity(const std::filesystem::path& folder);

struct OpenedDatabase {
  Database database;
  /// Set if the folder is read-only and no writer has left a log of changes: SQLite then reads the file
  /// without locks.
  std::optional<FileState> immutable_state = {};
};
/// Errors  DataError if there is no memory, or if it cannot be read without writing to a read-only folder
OpenedDatabase open_database(const std::filesystem::path& folder, bool for_writing,
                             const Environment& environment);

} // namespace mneme::store
