// SPDX-License-Identifier: MIT

#include "fetch/download.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "fetch/archive.h"
#include "fetch/http.h"
#include "fetch/sha256.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"

namespace mneme::fetch {
namespace {

namespace fs = std::filesystem;

constexpr int kAttemptsPerMirror = 5;

fs::path part_of(const fs::path& path) {
  return fs::path(path.string() + ".part");
}

/// NAME.part, written at one place after the other.
class PartFile {
public:
  explicit PartFile(const fs::path& path)
      : path_(path), descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0) {
      fail("opening");
    }
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile() { ::close(descriptor_); }

  void write(int64_t place, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), place);
      if (written < 0 && errno != EINTR) {
        fail("writing");
      }
      place += std::max<ssize_t>(written, 0);
      bytes = bytes.subspan(static_cast<size_t>(std::max<ssize_t>(written, 0)));
    }
  }
  /// What lies behind is not of this file.
  void cut(int64_t size) {
    if (::ftruncate(descriptor_, size) != 0) {
      fail("cutting");
    }
  }
  void sync() {
    if (::fsync(descriptor_) != 0) {
      fail("syncing");
    }
  }

private:
  [[noreturn]] void fail(const char* what) const {
    throw OutputError(
        fmt::format("cannot write {}: {}: {}.\n  Free some space, or choose another folder with "
                    "--out.",
                    path_.string(), what, std::strerror(errno)));
  }
  fs::path path_;
  int descriptor_;
};

int64_t size_of(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

/// One request, from the end of NAME.part on; returns how many bytes are there afterwards.
int64_t go_on(const RemoteFile& file, const std::string& url, const fs::path& part, Progress& progress) {
  int64_t place = size_of(part);
  std::optional<PartFile> to; // opened once there is an answer: a failure leaves no empty file
  int64_t shown = place;
  get(url, place,
      {.begin =
           [&](int64_t first_byte) {
             to.emplace(part);
             place = first_byte; // 0 from a server that always sends the whole file
           },
       .add =
           [&](std::span<const std::byte> bytes) {
             if (place + static_cast<int64_t>(bytes.size()) > file.size) {
               to->cut(0);
               throw DataError(
                   fmt::format("{}: it is longer than the published file of {} bytes.\n  Try another "
                               "--mirror.",
                               url, file.size));
             }
             to->write(place, bytes);
             place += static_cast<int64_t>(bytes.size());
             if (place > shown) {
               progress.advance(place - shown);
               shown = place;
             }
           }});
  if (to) {
    to->sync();
  }
  return place;
}

/// All of the file into NAME.part, going on after connections that broke.
void fill(const RemoteFile& file, const std::string& url, const fs::path& part, Progress& progress) {
  for (int attempt = 1;; ++attempt) {
    const int64_t before = size_of(part);
    try {
      if (before >= file.size || go_on(file, url, part, progress) >= file.size) {
        return;
      }
      if (attempt >= kAttemptsPerMirror) {
        throw DataError(
            fmt::format("{}: it ends after {} bytes, and the published file has {}.\n  Try another "
                        "--mirror.",
                        url, size_of(part), file.size));
      }
    } catch (const NetworkError& error) {
      const bool came_further = size_of(part) > before;
      if (!error.passing() || (!came_further && attempt >= kAttemptsPerMirror)) {
        throw;
      }
      attempt = came_further ? 0 : attempt; // a connection that breaks often still gets there
    }
  }
}

/// Those that are not there yet. Reads each that is once.
///
/// Errors  DataError if one of them is another file than the published one
std::vector<RemoteFile> missing_of(const std::vector<RemoteFile>& files, const fs::path& folder) {
  std::vector<RemoteFile> missing;
  for (const RemoteFile& file : files) {
    const FileState state = state_of(file, folder);
    if (state == FileState::missing || state == FileState::partial) {
      missing.push_back(file);
    } else if (!is_published(file, folder)) {
      throw DataError(fmt::format("{}: there is a file of this name, but it is not the published one ({} "
                                  "bytes, SHA-256 {}).\n  Move it "
                                  "away, or choose another folder with --out.",
                                  (folder / file.name).string(), file.size, file.sha256));
    }
  }
  return missing;
}

} // namespace

FileState state_of(const RemoteFile& file, const fs::path& folder) {
  std::error_code error;
  if (fs::is_regular_file(folder / file.name, error)) {
    return size_of(folder / file.name) == file.size ? FileState::present : FileState::other_size;
  }
  return fs::is_regular_file(part_of(folder / file.name), error) ? FileState::partial : FileState::missing;
}

bool is_published(const RemoteFile& file, const fs::path& folder) {
  return state_of(file, folder) == FileState::present && sha256_of_file(folder / file.name) == file.sha256;
}

void download(const RemoteFile& file, std::span<const std::string> mirrors, const fs::path& folder,
              Progress& progress) {
  const fs::path part = part_of(folder / file.name);
  for (size_t mirror = 0; mirror < mirrors.size(); ++mirror) {
    const std::string& base = mirrors[mirror];
    const std::string url = base + (base.ends_with('/') ? "" : "/") + file.name;
    progress.start(file.name, file.size);
    progress.advance(std::min(size_of(part), file.size));
    const bool resumed = size_of(part) > 0;
    try {
      fill(file, url, part, progress);
      progress.finish();
      std::string sum = sha256_of_file(part);
      if (sum != file.sha256 &&
          resumed) { // What an earlier run left may be of another file: once more, from 0.
        progress.say(fmt::format("{}: what was there did not fit; fetching all of it again", file.name));
        fs::remove(part);
        progress.start(file.name, file.size);
        fill(file, url, part, progress);
        progress.finish();
        sum = sha256_of_file(part);
      }
      if (sum != file.sha256) {
        fs::remove(part);
        throw DataError(fmt::format("{}: its SHA-256 is {}, and that of the published file is {}.\n  It was "
                                    "removed. Try another --mirror.",
                                    url, sum, file.sha256));
      }
      std::error_code error;
      fs::rename(part, folder / file.name, error);
      if (error) {
        throw OutputError(fmt::format("cannot rename {}: {}.\n  Check the permissions of the folder.",
                                      part.string(), error.message()));
      }
      return;
    } catch (const NetworkError& failure) {
      progress.finish();
      if (mirror + 1 == mirrors.size()) {
        throw;
      }
      progress.say(failure.what());
      progress.say("trying the next mirror: " + mirrors[mirror + 1]);
    }
  }
}

void get_data_set(const DataSet& set, std::span<const std::string> mirrors, const fs::path& folder,
                  Progress& progress) {
  std::vector<RemoteFile> missing = missing_of(set.kept(), folder);
  if (missing.empty()) {
    return;
  }
  const bool is_packed = !set.unpacked.empty();
  if (is_packed) {
    missing = missing_of(set.files, folder);
  }
  make_output_folder(folder);
  for (const RemoteFile& file : missing) {
    download(file, mirrors, folder, progress);
  }
  if (!is_packed) {
    return;
  }
  std::vector<std::string> names;
  for (const RemoteFile& file : set.unpacked) {
    names.push_back(file.name);
  }
  progress.start("unpacking", 1);
  for (const RemoteFile& archive : set.files) {
    unpack(folder / archive.name, names, folder);
  }
  progress.finish();
  missing_of(set.unpacked, folder); // what has come out is the published files
  for (const RemoteFile& archive : set.files) {
    fs::remove(folder / archive.name);
  }
}

} // namespace mneme::fetch
