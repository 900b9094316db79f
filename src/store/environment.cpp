// SPDX-License-Identifier: MIT

#include "store/environment.h"

#include <cerrno>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/read_file.h"

namespace mneme::store {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what) {
  const int error = errno;
  throw OutputError(fmt::format("{}: {}: {}.\n  {}", printable(path.string()), what, std::strerror(error),
                                error == ENOSPC || error == EDQUOT
                                    ? "Free some space on the disk. What was acknowledged before is stored."
                                    : "Check the disk and the permissions of the folder."));
}

class SystemFile final : public NewFile {
public:
  explicit SystemFile(const std::filesystem::path& path)
      : path_(path), descriptor_(::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0) {
      fail(path_, "cannot create the file");
    }
  }
  SystemFile(const SystemFile&) = delete;
  SystemFile& operator=(const SystemFile&) = delete;
  ~SystemFile() override { ::close(descriptor_); }

  void write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno != EINTR) {
        fail(path_, "cannot write");
      }
      bytes = bytes.subspan(static_cast<size_t>(written < 0 ? 0 : written));
    }
  }
  void sync() override {
    if (::fsync(descriptor_) != 0) {
      fail(path_, "cannot sync");
    }
  }

private:
  std::filesystem::path path_;
  int descriptor_;
};

} // namespace

std::unique_ptr<NewFile> FileSystem::create(const std::filesystem::path& path) {
  return std::make_unique<SystemFile>(path);
}

void FileSystem::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    fail(to, "cannot rename");
  }
}

void FileSystem::remove(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    fail(path, "cannot remove");
  }
}

void FileSystem::make_folder(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
    fail(path, "cannot create the folder");
  }
}

void FileSystem::sync_folder(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    fail(path, "cannot open the folder");
  }
  const bool synced = ::fsync(descriptor) == 0 || errno == EINVAL; // some file systems cannot sync folders
  const int error = errno;
  ::close(descriptor);
  if (!synced) {
    errno = error;
    fail(path, "cannot sync the folder");
  }
}

const Environment& Environment::of_system() {
  static FileSystem files;
  static const Environment environment{.vfs = nullptr, .files = &files};
  return environment;
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  try {
    const data::InputFile file(path);
    mapped_ = file.mapped();
    bytes_ = {mapped_.get(), static_cast<size_t>(mapped_ ? file.size() : 0)};
  } catch (const DataError& error) {
    const std::string_view problem = error.what();
    throw DataError(fmt::format("{}\n  The memory is complete without this snapshot file: `mneme memory "
                                "compact` writes it again.",
                                problem.substr(0, problem.find('\n'))));
  }
}

void write_new_file(FileSystem& files, const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::filesystem::path temporary = path;
  temporary += ".part";
  {
    const std::unique_ptr<NewFile> file = files.create(temporary);
    file->write(bytes);
    file->sync();
  }
  files.rename(temporary, path);
}

} // namespace mneme::store
