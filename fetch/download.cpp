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

/// File NAME.part, written at given offsets.
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

  void write(int64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
      if (written < 0 && errno != EINTR) {
        fail("writing");
      }
      offset += std::max<ssize_t>(written, 0);
      bytes = bytes.subspan(static_cast<size_t>(std::max<ssize_t>(written, 0)));
    }
  }
  void truncate(int64_t size) {
    if (::ftruncate(descriptor_, size) != 0) {
      fail("truncating");
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

/// One request for the bytes after the end of NAME.part; returns the number of bytes received so far.
int64_t resume(const RemoteFile& file, const std::string& url, const fs::path& part, Progress& progress) {
  int64_t offset = size_of(part);
  std::optional<PartFile> to; // opened after the response begins, so that a failure leaves no empty file
  int64_t shown = offset;
  get(url, offset,
      {.begin =
           [&](int64_t first_byte) {
             to.emplace(part);
             offset = first_byte; // 0 if the server always sends the complete file
           },
       .add =
           [&](std::span<const std::byte> bytes) {
             if (offset + static_cast<int64_t>(bytes.size()) > file.size) {
               to->truncate(0);
               throw DataError(
                   fmt::format("{}: it is longer than the published file of {} bytes.\n  Try another "
                               "--mirror.",
                               url, file.size));
             }
             to->write(offset, bytes);
             offset += static_cast<int64_t>(bytes.size());
             if (offset > shown) {
               progress.advance(offset - shown);
               shown = offset;
             }
           }});
  if (to) {
    to->sync();
  }
  return offset;
}

/// Downloads the rest of the file into NAME.part, resuming after broken connections.
void download_part(const RemoteFile& file, const std::string& url, const fs::path& part, Progress& progress) {
  for (int attempt = 1;; ++attempt) {
    const int64_t before = size_of(part);
    try {
      if (before >= file.size || resume(file, url, part, progress) >= file.size) {
        return;
      }
      if (attempt >= kAttemptsPerMirror) {
        throw DataError(
            fmt::format("{}: it ends after {} bytes, but the published file has {}.\n  Try another "
                        "--mirror.",
                        url, size_of(part), file.size));
      }
    } catch (const NetworkError& error) {
      const bool has_progressed = size_of(part) > before;
      if (!error.is_transient() || (!has_progressed && attempt >= kAttemptsPerMirror)) {
        throw;
      }
      attempt = has_progressed ? 0 : attempt; // the limit is on attempts without progress
    }
  }
}

/// Files that are missing or incomplete. Existing files are read once, to verify their SHA-256.
///
/// Errors  DataError if an existing file is not the published one
std::vector<RemoteFile> missing_of(const std::vector<RemoteFile>& files, const fs::path& folder) {
  std::vector<RemoteFile> missing;
  for (const RemoteFile& file : files) {
    const FileState state = state_of(file, folder);
    if (state == FileState::missing || state == FileState::partial) {
      missing.push_back(file);
    } else if (!is_published(file, folder)) {
      throw DataError(fmt::format("{}: a file of this name exists, but it is not the published one ({} "
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
      download_part(file, url, part, progress);
      progress.finish();
      std::string sum = sha256_of_file(part);
      // The partial file of an earlier run may belong to a different file: download again from the start.
      if (sum != file.sha256 && resumed) {
        progress.message(
            fmt::format("{}: the resumed download has the wrong SHA-256; downloading the complete "
                        "file again",
                        file.name));
        fs::remove(part);
        progress.start(file.name, file.size);
        download_part(file, url, part, progress);
        progress.finish();
        sum = sha256_of_file(part);
      }
      if (sum != file.sha256) {
        fs::remove(part);
        throw DataError(fmt::format("{}: its SHA-256 is {}, but that of the published file is {}.\n  The "
                                    "download was removed. Try another --mirror.",
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
      progress.message(failure.what());
      progress.message("trying the next mirror: " + mirrors[mirror + 1]);
    }
  }
}

void get_data_set(const DataSet& set, std::span<const std::string> mirrors, const fs::path& folder,
                  Progress& progress) {
  std::vector<RemoteFile> missing = missing_of(set.final_files(), folder);
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
  missing_of(set.unpacked, folder); // verifies the extracted files
  for (const RemoteFile& archive : set.files) {
    fs::remove(folder / archive.name);
  }
}

} // namespace mneme::fetch
