// SPDX-License-Identifier: MIT

#include "mneme/core/atomic_file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int error) {
  std::string advice = "Check that the folder exists and is writable, or choose another path.";
  if (error == ENOSPC || error == EDQUOT) {
    advice = "Free some space on the disk, or choose another disk.";
  } else if (error == EFBIG) {
    advice = "The system limits the size of files (ulimit -f): raise the limit, or write less.";
  }
  throw OutputError("cannot write " + printable(path.string()) + ": " + what + ": " + std::strerror(error) +
                    ".\n  This file was not changed. " + advice);
}

/// File descriptor for writing; every error names the target path.
class OutputFile {
public:
  OutputFile(const std::filesystem::path& target, int descriptor) : target_(target), descriptor_(descriptor) {
    if (descriptor_ < 0) {
      fail(target_, "opening", errno);
    }
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
  }

  void set_permissions(mode_t mode) { ::fchmod(descriptor_, mode & 07777); }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno != EINTR) {
        fail(target_, "writing", errno);
      }
      bytes = bytes.subspan(static_cast<size_t>(written < 0 ? 0 : written));
    }
  }

  void sync_and_close() {
    // Pipes and devices cannot be synced (EINVAL, EROFS), and need not be.
    if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) {
      fail(target_, "syncing", errno);
    }
    const int descriptor = descriptor_;
    descriptor_ = -1;
    if (::close(descriptor) != 0) {
      fail(target_, "closing", errno);
    }
  }

private:
  const std::filesystem::path& target_;
  int descriptor_;
};

/// New, empty file in the folder of the target; removed by the destructor unless it was renamed to the
/// target.
class TemporaryFile {
public:
  explicit TemporaryFile(const std::filesystem::path& target) : target_(target) {
    // Unique names: if two threads write the same target, the last one replaces the file of the other.
    static std::atomic<uint64_t> counter{0};
    do { // O_EXCL: an existing link or a file left by a killed process is never written to.
      path_ = target;
      path_ += ".part-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
      descriptor_ = ::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EEXIST);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_ >= 0 && !renamed_) {
      ::unlink(path_.c_str());
    }
  }

  int descriptor() const { return descriptor_; }
  void rename_to_target() {
    if (::rename(path_.c_str(), target_.c_str()) != 0) {
      fail(target_, "renaming", errno);
    }
    renamed_ = true;
  }

private:
  const std::filesystem::path& target_;
  std::filesystem::path path_;
  int descriptor_ = -1;
  bool renamed_ = false;
};

/// Target of a symbolic link, which need not exist, or the path itself. The target is replaced, the link
/// stays (/dev/stdout is a link).
std::filesystem::path followed(const std::filesystem::path& path) {
  constexpr int kLinksMax = 40; // as in Linux
  std::filesystem::path end = path;
  std::error_code error;
  for (int links = 0; std::filesystem::is_symlink(end, error); ++links) {
    if (links == kLinksMax) {
      fail(path, "opening", ELOOP);
    }
    const std::filesystem::path target = std::filesystem::read_symlink(end, error);
    if (error) {
      fail(path, "opening", error.value());
    }
    end = end.parent_path() / target; // `target` alone if it is absolute
  }
  return end;
}

void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) { // The file itself is synced; not all file systems can sync a folder.
    ::fsync(descriptor);
    ::close(descriptor);
  }
}

} // namespace

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode)) {
    // A pipe or a device such as /dev/null would be replaced by a rename.
    OutputFile device(path, ::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    device.write(bytes);
    device.sync_and_close();
    return;
  }
  const std::filesystem::path target = followed(path);
  TemporaryFile temporary(target);
  OutputFile file(target, temporary.descriptor());
  if (exists) {
    file.set_permissions(status.st_mode);
  }
  file.write(bytes);
  file.sync_and_close();
  temporary.rename_to_target();
  sync_folder(target.parent_path());
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  write_file_atomically(path, std::as_bytes(std::span(text.data(), text.size())));
}

void require_writable(const std::filesystem::path& link, OutputKind kind) {
  const std::filesystem::path path = kind == OutputKind::file ? followed(link) : link;
  const auto refuse = [&](const std::string& problem) {
    throw OutputError("cannot write " + printable(path.string()) + ": " + problem +
                      ".\n  Nothing was changed. Choose another path" +
                      (kind == OutputKind::folder ? " with --out." : "."));
  };
  std::error_code ignored, error;
  if (kind == OutputKind::file && std::filesystem::is_directory(path, ignored)) {
    refuse("it is a folder, but a file is needed");
  }
  // The path itself, or the nearest folder above it that exists.
  std::filesystem::path existing = path;
  while (!existing.empty() && !std::filesystem::exists(existing, error)) {
    if (std::filesystem::is_symlink(existing, ignored)) {
      if (error) { // a link to itself
        fail(existing, "opening", error.value());
      }
      refuse(printable(existing.string()) + " is a symbolic link to " +
             printable(std::filesystem::read_symlink(existing, ignored).string()) + ", which does not exist");
    }
    existing = existing.parent_path();
  }
  const bool exists = existing == path;
  existing = existing.empty() ? std::filesystem::path(".") : existing;
  const bool is_folder = std::filesystem::is_directory(existing, ignored);
  if (!is_folder && (kind == OutputKind::folder || !exists)) {
    refuse((exists ? std::string("it") : printable(existing.string())) +
           " is a file, but a folder is needed");
  }
  if (kind == OutputKind::file && !exists && existing != path.parent_path() && path.has_parent_path()) {
    refuse("there is no folder " + printable(path.parent_path().string()));
  }
  if (::access(existing.c_str(), is_folder ? W_OK | X_OK : W_OK) != 0) {
    fail(path, is_folder && !exists ? "creating files" : "writing", errno);
  }
}

void make_output_folder(const std::filesystem::path& folder) {
  require_writable(folder, OutputKind::folder);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    fail(folder, "creating the folder", error.value());
  }
}

} // namespace mneme
