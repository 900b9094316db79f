// SPDX-License-Identifier: MIT

#include "store/folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mneme/core/error.h"
#include "mneme/core/file_exists.h"
#include "mneme/core/text.h"

namespace mneme::store {
namespace {

namespace fs = std::filesystem;

fs::path wal_path(const fs::path& folder) {
  return folder / "memory.sqlite-wal";
}

fs::path shared_index_path(const fs::path& folder) {
  return folder / "memory.sqlite-shm";
}

bool is_present(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

uint64_t bytes_of_files(const fs::path& folder) {
  uint64_t bytes = 0;
  std::error_code error; // files may vanish while another process writes
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code no_file;
    const auto size = entry->is_regular_file(no_file) ? entry->file_size(no_file) : 0;
    // The shared index of SQLite (-shm) is not on the disk while the memory is closed.
    bytes += no_file || entry->path().extension() == ".sqlite-shm" ? 0 : size;
  }
  return bytes;
}

} // namespace

fs::path database_path(const fs::path& folder) {
  return folder / "memory.sqlite";
}

fs::path snapshot_folder(const fs::path& folder) {
  return folder / "snapshot";
}

uint64_t bytes_on_disk(const fs::path& folder) {
  return bytes_of_files(folder) + bytes_of_snapshot(folder);
}

uint64_t bytes_of_snapshot(const fs::path& folder) {
  return bytes_of_files(snapshot_folder(folder));
}

FolderLock writer_lock(const fs::path& folder) {
  return FolderLock(
      folder,
      {.taken = "another process has the memory open for writing",
       .taken_advice = "One process writes to a memory at a time. End that process, or open the memory for "
                       "reading.",
       .read_only_advice = "Check the permissions of the folder. A memory in a read-only folder can be read, "
                           "not changed.",
       .taken_here = "this process has the memory open for writing already.\n  Use the object that has it "
                     "open, or destroy it first."});
}

void require_no_memory(const fs::path& folder) {
  if (is_present(database_path(folder))) {
    throw UsageError(
        fmt::format("{}: there is a memory in this folder already.\n  Choose another folder, or remove "
                    "this one first.",
                    printable(folder.string())));
  }
}

UnfinishedMemory::UnfinishedMemory(const fs::path& folder, const Environment& environment)
    : folder_(folder), environment_(environment) {}

void UnfinishedMemory::begin() {
  const fs::path absolute = fs::absolute(folder_);
  for (fs::path path = absolute; !is_present(path) && path != path.parent_path(); path = path.parent_path()) {
    new_folders_.push_back(path);
  }
  std::error_code error; // reported by make_folder
  fs::create_directories(absolute.parent_path(), error);
  environment_.files->make_folder(absolute);
  environment_.files->sync_folder(absolute.parent_path());
  FolderLock lock = writer_lock(folder_);
  require_no_memory(folder_); // another process may have created one
  lock_.emplace(std::move(lock));
}

UnfinishedMemory::~UnfinishedMemory() {
  if (lock_) {
    for (const fs::path& path : {wal_path(folder_), shared_index_path(folder_), database_path(folder_)}) {
      try {
        environment_.files->remove(path);
      } catch (const OutputError&) { // the first error is more important
      }
    }
    lock_.reset();
  }
  std::error_code error;
  for (const fs::path& path : new_folders_) {
    fs::remove(path, error); // fails for a folder that is not empty
  }
}

FolderLock UnfinishedMemory::finish() {
  FolderLock lock = std::move(*lock_);
  lock_.reset();
  new_folders_.clear();
  return lock;
}

FileState file_state(const fs::path& folder) {
  struct stat database {
  }, wal{};
  if (::stat(database_path(folder).c_str(), &database) != 0) {
    return {};
  }
  return {.size = database.st_size,
          .seconds = database.st_mtim.tv_sec,
          .nanoseconds = database.st_mtim.tv_nsec,
          .has_wal = ::stat(wal_path(folder).c_str(), &wal) == 0 && wal.st_size > 0};
}

FileIdentity file_identity(const fs::path& folder) {
  const auto identity = [](const fs::path& path) {
    struct stat file {};
    return ::stat(path.c_str(), &file) == 0 ? FileIdentity::File{file.st_dev, file.st_ino}
                                            : FileIdentity::File{};
  };
  return {.database = identity(database_path(folder)), .wal = identity(wal_path(folder))};
}

OpenedDatabase open_database(const fs::path& folder, bool for_writing, const Environment& environment) {
  const fs::path path = database_path(folder);
  if (std::error_code error; !file_exists(path) || !fs::is_regular_file(path, error)) {
    throw DataError(
        fmt::format("{}: there is no memory in this folder (no file memory.sqlite).\n  Create one with "
                    "`mneme memory create {}`, or give the folder of an existing one.",
                    printable(folder.string()), shell_path(folder.string())));
  }
  if (for_writing || ::access(folder.c_str(), W_OK) == 0) {
    return {Database(path, for_writing ? OpenMode::write : OpenMode::read, environment.vfs)};
  }
  // While a writer has the memory open, and after it was killed, both files exist. SQLite then reads the log
  // of changes without writing: it shares the locks of a writer, or computes the index for itself.
  if (is_present(wal_path(folder)) && is_present(shared_index_path(folder))) {
    return {Database(path, OpenMode::read, environment.vfs)};
  }
  const FileState state = file_state(folder);
  if (state.has_wal) {
    throw DataError(
        fmt::format("{}: the folder is read-only, and its file memory.sqlite-wal has changes that were not "
                    "yet moved to memory.sqlite, which cannot be read without the file memory.sqlite-shm.\n"
                    "  Compact the memory as a user who may write to it (`mneme memory compact {}`), or copy "
                    "the whole folder to a writable place.",
                    printable(folder.string()), shell_path(folder.string())));
  }
  return {Database(path, OpenMode::immutable, environment.vfs), state};
}

} // namespace mneme::store
