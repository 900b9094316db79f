// SPDX-License-Identifier: MIT

/// File operations of a durable memory (those of SQLite and those of snapshots) as a trace, from which the
/// contents of a disk after a power failure are built. Operations can also be made to fail.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sqlite3.h>

#include "mneme/core/random.h"
#include "store/environment.h"

namespace mneme::store::test {

/// One change of the disk. Files are numbered, because names change.
struct Event {
  enum class Kind { write, truncate, sync, name, rename, remove, sync_folder, acknowledge };
  Kind kind;
  int64_t file = -1;
  std::string path = {}, new_path = {}; ///< relative to the recorded folder
  int64_t offset = 0;                   ///< write: position; truncate: size; acknowledge: number of the state
  std::string bytes = {};
};

/// Kinds of failures of the n-th operation.
enum class Fault {
  disk_full,      ///< this and all later writes fail (ENOSPC)
  disk_full_once, ///< only this write fails
  io_error,       ///< this operation fails (EIO), also a sync
  io_errors       ///< this and all later operations fail
};

class Recorder {
public:
  explicit Recorder(std::filesystem::path root);
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder();

  const Environment& environment() const { return environment_; }
  const std::vector<Event>& events() const { return events_; }
  /// Marks that the state number `state` was acknowledged.
  void acknowledge(int64_t state);

  /// The operation number `operation` (counted from 0) fails.
  void fail_at(int64_t operation, Fault fault);
  int64_t operations() const { return operations_; }

  /// For the file layers: counts an operation; true if it must fail.
  bool fails(bool is_write);
  int sqlite_error(bool is_sync) const; ///< error code of a failing operation
  /// The number of the file with this name, which is created if `creates` and there is none.
  int64_t file_at(const std::string& path, bool creates);
  void record(Event event) { events_.push_back(std::move(event)); }
  std::string relative(const std::string& path) const;
  std::map<std::string, int64_t>& names() { return names_; }
  sqlite3_vfs& system_vfs() { return *system_; }

private:
  std::filesystem::path root_;
  std::vector<Event> events_;
  std::map<std::string, int64_t> names_; ///< of the files that exist
  int64_t num_files_ = 0, operations_ = 0, failing_ = -1;
  Fault fault_ = Fault::io_error;
  sqlite3_vfs vfs_{};
  sqlite3_vfs* system_;
  std::string vfs_name_;
  std::unique_ptr<FileSystem> files_;
  Environment environment_;
};

/// Writes to `folder` a possible state of the disk after a power failure that follows the first `num_events`
/// events: of the writes, truncations, creations, renames and removals that were not synced, any subset
/// remains; of a write any of its sectors of 512 bytes, and of some sectors only a part.
void write_crash_image(const std::vector<Event>& events, size_t num_events, Random random,
                       const std::filesystem::path& folder);

/// Number of the last acknowledged state among the first `num_events` events; -1: none.
int64_t last_acknowledged(const std::vector<Event>& events, size_t num_events);

} // namespace mneme::store::test
