// SPDX-License-Identifier: MIT

#include "store/recorder.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <new>

#include "mneme/core/error.h"

namespace mneme::store::test {
namespace {

namespace fs = std::filesystem;
using Kind = Event::Kind;

// --- SQLite's files ---------------------------------------------------------------------------------------

/// Open file of SQLite: records changes and passes them to the file of the system, which follows it.
struct RecordedFile {
  sqlite3_file base;
  Recorder* recorder;
  int64_t file;      ///< -1: temporary, not recorded
  bool syncs_folder; ///< the first sync of a new log also syncs the folder, as SQLite does on Unix
  std::string* path;

  sqlite3_file* system() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

RecordedFile& of(sqlite3_file* file) {
  return *reinterpret_cast<RecordedFile*>(file);
}

int close_file(sqlite3_file* file) {
  const int code = of(file).system()->pMethods->xClose(of(file).system());
  delete of(file).path;
  return code;
}
int read_file(sqlite3_file* file, void* to, int count, sqlite3_int64 offset) {
  return of(file).system()->pMethods->xRead(of(file).system(), to, count, offset);
}
int write_file(sqlite3_file* file, const void* from, int count, sqlite3_int64 offset) {
  RecordedFile& self = of(file);
  if (self.file >= 0) {
    if (self.recorder->fails(true)) {
      return self.recorder->sqlite_error(false);
    }
    self.recorder->record({.kind = Kind::write,
                           .file = self.file,
                           .offset = offset,
                           .bytes = {static_cast<const char*>(from), static_cast<size_t>(count)}});
  }
  return self.system()->pMethods->xWrite(self.system(), from, count, offset);
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  RecordedFile& self = of(file);
  if (self.file >= 0) {
    if (self.recorder->fails(false)) {
      return SQLITE_IOERR_TRUNCATE;
    }
    self.recorder->record({.kind = Kind::truncate, .file = self.file, .offset = size});
  }
  return self.system()->pMethods->xTruncate(self.system(), size);
}
int sync_file(sqlite3_file* file, int) { // the test simulates the disk, so nothing is synced
  RecordedFile& self = of(file);
  if (self.file >= 0) {
    if (self.recorder->fails(false)) {
      return self.recorder->sqlite_error(true);
    }
    self.recorder->record({.kind = Kind::sync, .file = self.file});
    if (self.syncs_folder) {
      self.recorder->record({.kind = Kind::sync_folder, .path = fs::path(*self.path).parent_path().string()});
      self.syncs_folder = false;
    }
  }
  return SQLITE_OK;
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return of(file).system()->pMethods->xFileSize(of(file).system(), size);
}
int lock(sqlite3_file* file, int level) {
  return of(file).system()->pMethods->xLock(of(file).system(), level);
}
int unlock(sqlite3_file* file, int level) {
  return of(file).system()->pMethods->xUnlock(of(file).system(), level);
}
int check_lock(sqlite3_file* file, int* result) {
  return of(file).system()->pMethods->xCheckReservedLock(of(file).system(), result);
}
int control(sqlite3_file* file, int operation, void* argument) {
  return of(file).system()->pMethods->xFileControl(of(file).system(), operation, argument);
}
int sector_size(sqlite3_file* file) {
  return of(file).system()->pMethods->xSectorSize(of(file).system());
}
int characteristics(sqlite3_file* file) {
  return of(file).system()->pMethods->xDeviceCharacteristics(of(file).system());
}
int map_shared(sqlite3_file* file, int region, int size, int extend, void volatile** to) {
  return of(file).system()->pMethods->xShmMap(of(file).system(), region, size, extend, to);
}
int lock_shared(sqlite3_file* file, int offset, int count, int flags) {
  return of(file).system()->pMethods->xShmLock(of(file).system(), offset, count, flags);
}
void barrier(sqlite3_file* file) {
  of(file).system()->pMethods->xShmBarrier(of(file).system());
}
int unmap_shared(sqlite3_file* file, int remove) {
  return of(file).system()->pMethods->xShmUnmap(of(file).system(), remove);
}

constexpr sqlite3_io_methods kMethods{
    2,           close_file, read_file,    write_file, truncate_file, sync_file,       file_size,
    lock,        unlock,     check_lock,   control,    sector_size,   characteristics, map_shared,
    lock_shared, barrier,    unmap_shared, nullptr,    nullptr};

Recorder& recorder_of(sqlite3_vfs* vfs) {
  return *static_cast<Recorder*>(vfs->pAppData);
}

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  Recorder& recorder = recorder_of(vfs);
  RecordedFile& self = of(file);
  std::memset(static_cast<void*>(&self), 0, sizeof(self));
  const bool creates = name != nullptr && (flags & SQLITE_OPEN_CREATE) != 0;
  const std::string path = name == nullptr ? "" : recorder.relative(name);
  const bool is_new = creates && !recorder.names().contains(path);
  if (is_new && recorder.fails(false)) {
    return SQLITE_CANTOPEN;
  }
  sqlite3_vfs& system = recorder.system_vfs();
  const int code = system.xOpen(&system, name, self.system(), flags, flags_out);
  if (code != SQLITE_OK) {
    return code;
  }
  self.base.pMethods = &kMethods;
  self.recorder = &recorder;
  self.path = new std::string(path);
  self.file = name == nullptr ? -1 : recorder.file_at(path, creates);
  self.syncs_folder = is_new && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  Recorder& recorder = recorder_of(vfs);
  const std::string path = recorder.relative(name);
  if (recorder.names().contains(path)) {
    if (recorder.fails(false)) {
      return SQLITE_IOERR_DELETE;
    }
    recorder.record({.kind = Kind::remove, .path = path});
    recorder.names().erase(path);
    if (sync_folder != 0) {
      recorder.record({.kind = Kind::sync_folder, .path = fs::path(path).parent_path().string()});
    }
  }
  return recorder.system_vfs().xDelete(&recorder.system_vfs(), name, 0);
}
int access_file(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
  sqlite3_vfs& system = recorder_of(vfs).system_vfs();
  return system.xAccess(&system, name, flags, result);
}
int full_path(sqlite3_vfs* vfs, const char* name, int size, char* to) {
  sqlite3_vfs& system = recorder_of(vfs).system_vfs();
  return system.xFullPathname(&system, name, size, to);
}
int random_bytes(sqlite3_vfs*, int count, char* to) { // equal traces in every run
  std::memset(to, 7, static_cast<size_t>(count));
  return count;
}
int pause(sqlite3_vfs* vfs, int microseconds) {
  sqlite3_vfs& system = recorder_of(vfs).system_vfs();
  return system.xSleep(&system, microseconds);
}
int last_error(sqlite3_vfs*, int, char*) {
  return 0;
}
int current_time(sqlite3_vfs*, sqlite3_int64* milliseconds) {
  *milliseconds = 210866760000000; // a fixed day
  return SQLITE_OK;
}

// --- snapshot files ---------------------------------------------------------------------------------------

[[noreturn]] void fail_operation() {
  throw OutputError("an operation was made to fail by the test");
}

class RecordedNewFile final : public NewFile {
public:
  RecordedNewFile(Recorder& recorder, int64_t file, std::unique_ptr<NewFile> system)
      : recorder_(recorder), file_(file), system_(std::move(system)) {}
  void write(std::span<const std::byte> bytes) override {
    if (recorder_.fails(true)) {
      fail_operation();
    }
    recorder_.record({.kind = Kind::write,
                      .file = file_,
                      .offset = offset_,
                      .bytes = {reinterpret_cast<const char*>(bytes.data()), bytes.size()}});
    offset_ += std::ssize(bytes);
    system_->write(bytes);
  }
  void sync() override {
    if (recorder_.fails(false)) {
      fail_operation();
    }
    recorder_.record({.kind = Kind::sync, .file = file_});
  }

private:
  Recorder& recorder_;
  int64_t file_, offset_ = 0;
  std::unique_ptr<NewFile> system_;
};

class RecordedFileSystem final : public FileSystem {
public:
  explicit RecordedFileSystem(Recorder& recorder) : recorder_(recorder) {}
  std::unique_ptr<NewFile> create(const fs::path& path) override {
    check();
    const std::string name = recorder_.relative(path.string());
    const bool exists = recorder_.names().contains(name);
    const int64_t file = recorder_.file_at(name, true);
    if (exists) {
      recorder_.record({.kind = Kind::truncate, .file = file, .offset = 0});
    }
    return std::make_unique<RecordedNewFile>(recorder_, file, FileSystem::create(path));
  }
  void rename(const fs::path& from, const fs::path& to) override {
    check();
    const std::string old_name = recorder_.relative(from.string()),
                      new_name = recorder_.relative(to.string());
    recorder_.record({.kind = Kind::rename, .path = old_name, .new_path = new_name});
    recorder_.names()[new_name] = recorder_.names().at(old_name);
    recorder_.names().erase(old_name);
    FileSystem::rename(from, to);
  }
  void remove(const fs::path& path) override {
    check();
    const std::string name = recorder_.relative(path.string());
    recorder_.record({.kind = Kind::remove, .path = name});
    recorder_.names().erase(name);
    FileSystem::remove(path);
  }
  void make_folder(const fs::path& path) override {
    check();
    FileSystem::make_folder(path);
  }
  void sync_folder(const fs::path& path) override {
    check();
    recorder_.record({.kind = Kind::sync_folder, .path = recorder_.relative(path.string())});
  }

private:
  void check() {
    if (recorder_.fails(false)) {
      fail_operation();
    }
  }
  Recorder& recorder_;
};

} // namespace

Recorder::Recorder(fs::path root)
    : root_(std::move(root)), system_(sqlite3_vfs_find(nullptr)),
      vfs_name_("recorder-" + root_.filename().string()),
      files_(std::make_unique<RecordedFileSystem>(*this)), environment_{.vfs = vfs_name_.c_str(),
                                                                        .files = files_.get()} {
  vfs_.iVersion = 2;
  vfs_.szOsFile = static_cast<int>(sizeof(RecordedFile)) + system_->szOsFile;
  vfs_.mxPathname = system_->mxPathname;
  vfs_.zName = vfs_name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = open_file;
  vfs_.xDelete = delete_file;
  vfs_.xAccess = access_file;
  vfs_.xFullPathname = full_path;
  vfs_.xRandomness = random_bytes;
  vfs_.xSleep = pause;
  vfs_.xGetLastError = last_error;
  vfs_.xCurrentTimeInt64 = current_time;
  sqlite3_vfs_register(&vfs_, 0);
}

Recorder::~Recorder() {
  sqlite3_vfs_unregister(&vfs_);
}

void Recorder::acknowledge(int64_t state) {
  record({.kind = Kind::acknowledge, .offset = state});
}

void Recorder::fail_at(int64_t operation, Fault fault) {
  failing_ = operation;
  fault_ = fault;
}

bool Recorder::fails(bool is_write) {
  const int64_t operation = operations_++;
  if (failing_ < 0 || operation < failing_) {
    return false;
  }
  switch (fault_) {
  case Fault::disk_full:
    return is_write;
  case Fault::disk_full_once:
    return is_write && operation == failing_;
  case Fault::io_error:
    return operation == failing_;
  case Fault::io_errors:
    return true;
  }
  return false;
}

int Recorder::sqlite_error(bool is_sync) const {
  const bool is_full = fault_ == Fault::disk_full || fault_ == Fault::disk_full_once;
  return is_full ? SQLITE_FULL : is_sync ? SQLITE_IOERR_FSYNC : SQLITE_IOERR_WRITE;
}

int64_t Recorder::file_at(const std::string& path, bool creates) {
  const auto known = names_.find(path);
  if (known != names_.end()) {
    return known->second;
  }
  if (!creates) {
    return -1;
  }
  names_[path] = num_files_;
  record({.kind = Kind::name, .file = num_files_, .path = path});
  return num_files_++;
}

std::string Recorder::relative(const std::string& path) const {
  const std::string text = fs::path(path).lexically_relative(root_).generic_string();
  return text == "." ? "" : text;
}

// --- power failures ---------------------------------------------------------------------------------------

namespace {

constexpr size_t kSector = 512;

/// A file: what is certainly on the disk, and the changes that may be.
struct DiskFile {
  std::string durable;
  std::vector<const Event*> pending;
};

void write_at(std::string& content, size_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) {
    content.resize(offset + bytes.size(), '\0');
  }
  content.replace(offset, bytes.size(), bytes);
}

/// Which changes that were not synced are kept, in one image.
class Survival {
public:
  explicit Survival(Random& random) : random_(random) {
    constexpr double kProbabilities[] = {0, 0.1, 0.5, 0.9, 1};
    probability_ = kProbabilities[random.below(5)];
    tears_ = random.below(2) == 0;
  }
  bool keeps() { return random_.uniform() < probability_; }
  /// Bytes of a sector that are kept.
  size_t kept_of(size_t size) {
    if (!keeps()) {
      return 0;
    }
    return tears_ && random_.below(8) == 0 ? random_.below(size) : size;
  }

private:
  Random& random_;
  double probability_;
  bool tears_;
};

std::string content_after_failure(const DiskFile& file, Survival& survival) {
  std::string content = file.durable;
  for (const Event* event : file.pending) {
    if (event->kind == Kind::truncate) {
      if (survival.keeps()) {
        content.resize(static_cast<size_t>(event->offset), '\0');
      }
      continue;
    }
    const std::string_view bytes = event->bytes;
    const auto offset = static_cast<size_t>(event->offset);
    for (size_t begin = 0; begin < bytes.size();) {
      const size_t size = std::min(bytes.size() - begin, kSector - (offset + begin) % kSector);
      if (const size_t kept = survival.kept_of(size); kept > 0) {
        write_at(content, offset + begin, bytes.substr(begin, kept));
      }
      begin += size;
    }
  }
  return content;
}

using Names = std::map<std::string, int64_t>;

void apply(const Event& event, Names& names) {
  if (event.kind == Kind::name) {
    names[event.path] = event.file;
  } else if (event.kind == Kind::remove) {
    names.erase(event.path);
  } else if (const auto from = names.find(event.path); from != names.end()) { // rename
    names[event.new_path] = from->second;
    names.erase(from);
  }
}

std::string folder_of(const std::string& path) {
  return fs::path(path).parent_path().generic_string();
}

} // namespace

void write_crash_image(const std::vector<Event>& events, size_t num_events, Random random,
                       const fs::path& folder) {
  std::map<int64_t, DiskFile> files;
  Names durable_names;
  std::vector<const Event*> pending_names;
  for (size_t i = 0; i < num_events; ++i) {
    const Event& event = events[i];
    switch (event.kind) {
    case Kind::write:
    case Kind::truncate:
      files[event.file].pending.push_back(&event);
      break;
    case Kind::sync: {
      DiskFile& file = files[event.file];
      for (const Event* change : file.pending) {
        if (change->kind == Kind::truncate) {
          file.durable.resize(static_cast<size_t>(change->offset), '\0');
        } else {
          write_at(file.durable, static_cast<size_t>(change->offset), change->bytes);
        }
      }
      file.pending.clear();
      break;
    }
    case Kind::name:
    case Kind::rename:
    case Kind::remove:
      pending_names.push_back(&event);
      break;
    case Kind::sync_folder:
      std::erase_if(pending_names, [&](const Event* change) {
        const bool is_in_folder = folder_of(change->path) == event.path;
        if (is_in_folder) {
          apply(*change, durable_names);
        }
        return is_in_folder;
      });
      break;
    case Kind::acknowledge:
      break;
    }
  }
  Survival survival(random), of_names(random);
  Names names = durable_names;
  for (const Event* change : pending_names) {
    if (of_names.keeps()) {
      apply(*change, names);
    }
  }
  for (const auto& [path, file] : names) {
    fs::create_directories((folder / path).parent_path());
    std::ofstream(folder / path, std::ios::binary) << content_after_failure(files[file], survival);
  }
}

int64_t last_acknowledged(const std::vector<Event>& events, size_t num_events) {
  int64_t state = -1;
  for (size_t i = 0; i < num_events; ++i) {
    state = events[i].kind == Kind::acknowledge ? events[i].offset : state;
  }
  return state;
}

} // namespace mneme::store::test
