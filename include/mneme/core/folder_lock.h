// SPDX-License-Identifier: MIT

/// Lock of a folder that one process at a time has.
#pragma once

#include <filesystem>
#include <string>

namespace mneme {

/// Texts of the errors of a lock, and whether it is indispensable.
struct FolderLockOptions {
  std::string taken;            ///< "another process writes to the folder"
  std::string taken_advice;     ///< what to do then, as sentences
  std::string read_only_advice; ///< what to do if the file of the lock cannot be written, as sentences
  bool required = true;         ///< false: no error on a file system without locks
  /// Message with advice for a lock that the same process has; empty: as for another process.
  std::string taken_here = {};
};

/// flock on the file "lock" of a folder, which contains the id of the process. The system releases the lock
/// when the process ends in any way; the destructor also removes the file. File descriptors are not inherited
/// by programs that the process starts.
class FolderLock {
public:
  /// Errors  OutputError if another process, or another FolderLock, keeps the lock for half a second, or if
  ///         the file cannot be created
  FolderLock(const std::filesystem::path& folder, const FolderLockOptions& options);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

} // namespace mneme
