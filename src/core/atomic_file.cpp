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
  std::string advice = "Check that the folder exists and may be written, or choose another place with --out.";
  if (error == ENOSPC || error == EDQUOT) {
    advice = "Free some space, or choose another disk.";
  } else if (error == EFBIG) {
    advice = "The system limits the size of a file (ulimit -f): raise the limit, or write less.";
  }
  throw OutputError("cannot write " + printable(path.string()) + ": " + what + ": " + std::strerror(error) +
                    ".\n  Nothing was changed there. " + advice);
}

/// A file open for writing, with every failure told in terms of the target.
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

  void take_permissions(mode_t mode) { ::fchmod(descriptor_, mode & 07777); }

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
    // Pipes and devices cannot be synced (EINVAL, EROFS): there is nothing to sync then.
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

/// The name of a new, empty file beside the target; removed at the end unless it took the target's name.
class TemporaryName {
public:
  explicit TemporaryName(const std::filesystem::path& target) : target_(target) {
    static std::atomic<uint64_t> counter{
        0}; // Two threads may write the same target: the last one wins whole.
    do { // O_EXCL: neither a link someone laid here nor the remains of a killed process are ever written to.
      path_ = target;
      path_ += ".part-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
      descriptor_ = ::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EEXIST);
  }
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  ~TemporaryName() {
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

/// Where a link leads: the file there is replaced, and the link stays. (/dev/stdout is such a link.)
std::filesystem::path followed(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_symlink(path, error)) {
    return path;
  }
  const std::filesystem::path end = std::filesystem::canonical(path, error);
  return error ? path : end;
}

void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) { // The file itself is safe; a file system that cannot sync a folder is no error.
    ::fsync(descriptor);
    ::close(descriptor);
  }
}

} // namespace

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode)) {
    // A pipe or a device such as /dev/null: renaming onto it would replace it.
    OutputFile device(path, ::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    device.write(bytes);
    device.sync_and_close();
    return;
  }
  const std::filesystem::path target = followed(path);
  TemporaryName beside(target);
  OutputFile file(target, beside.descriptor());
  if (exists) {
    file.take_permissions(status.st_mode);
  }
  file.write(bytes);
  file.sync_and_close();
  beside.rename_to_target();
  sync_folder(target.parent_path());
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  write_file_atomically(path, std::as_bytes(std::span(text.data(), text.size())));
}

void make_output_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    fail(folder, "creating the folder", error.value());
  }
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    fail(folder, "entering the folder", errno);
  }
}

} // namespace mneme
