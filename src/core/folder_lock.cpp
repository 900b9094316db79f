// SPDX-License-Identifier: MIT

#include "mneme/core/folder_lock.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme {
namespace {

constexpr int kAttempts = 10;
constexpr std::chrono::milliseconds kPause{50}; // a process that is just ending has half a second

/// Whether the file system has no locks.
bool is_unsupported(int error) {
  return error == EOPNOTSUPP || error == ENOSYS || error == ENOLCK;
}

/// Whether the descriptor is of the file that has this name now: the process that had the lock before may
/// have removed it.
bool is_current(int descriptor, const std::filesystem::path& path) {
  struct stat opened {
  }, named{};
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

int open_file(const std::filesystem::path& path, const FolderLockOptions& options) {
  const int descriptor = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    throw OutputError(printable(path.string()) + ": cannot open the file for writing: " +
                      std::strerror(errno) + ".\n  " + options.read_only_advice);
  }
  return descriptor;
}

} // namespace

FolderLock::FolderLock(const std::filesystem::path& folder, const FolderLockOptions& options)
    : path_(folder / "lock"), descriptor_(open_file(path_, options)) {
  for (int attempt = 0;;) {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) {
      if (is_current(descriptor_, path_)) {
        break;
      }
      ::close(descriptor_);
      descriptor_ = open_file(path_, options);
      continue;
    }
    const int error = errno;
    if (error == EINTR) {
      continue;
    }
    if (!options.required && is_unsupported(error)) {
      return;
    }
    if (error != EWOULDBLOCK || ++attempt == kAttempts) {
      std::array<char, 32> owner{};
      const bool known = ::pread(descriptor_, owner.data(), owner.size() - 1, 0) > 0;
      ::close(descriptor_);
      if (error == EWOULDBLOCK && !options.taken_here.empty() && owner.data() == std::to_string(::getpid())) {
        throw OutputError(printable(folder.string()) + ": " + options.taken_here);
      }
      throw OutputError(
          printable(folder.string()) + ": " + (error == EWOULDBLOCK ? options.taken : std::strerror(error)) +
          (known ? " (process " + printable(owner.data()) + ")" : "") + ".\n  " + options.taken_advice);
    }
    std::this_thread::sleep_for(kPause);
  }
  // For the message above only.
  const std::string owner = std::to_string(::getpid());
  if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, owner.data(), owner.size(), 0) < 0) {
    errno = 0; // the disk may be full, which is no reason to refuse work that needs no more of it
  }
}

FolderLock::FolderLock(FolderLock&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) {
    ::unlink(path_.c_str()); // while locked, so that no other process has locked this file
    ::close(descriptor_);    // releases the lock
  }
}

} // namespace mneme
