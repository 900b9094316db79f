// SPDX-License-Identifier: MIT

#include "data/source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/gzip.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/read_file.h"

namespace mneme::data {
namespace {

class Descriptor {
public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  int number() const { return number_; }

private:
  int number_;
};

[[noreturn]] void fail_reading(const std::string& name, int error) {
  fail(name, fmt::format("cannot be read: {}", std::strerror(error)),
       "Check the path, its permissions and the disk.");
}

[[noreturn]] void fail_for_memory(const std::string& name, double bytes) {
  fail(name, fmt::format("requires {:.3g} GB of memory, more than is available", bytes * 1e-9),
       "Read fewer patterns (set a limit), or use a smaller file.");
}

class FileSource : public Source {
public:
  FileSource(Descriptor file, std::string name, int64_t size)
      : Source(std::move(name), size), file_(std::move(file)) {}

  std::shared_ptr<std::byte[]> mapped() const override {
    const auto bytes = static_cast<size_t>(size());
    void* begin =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file_.number(), 0);
    if (begin == MAP_FAILED) {
      fail_reading(name(), errno);
    }
    return {static_cast<std::byte*>(begin), [bytes](std::byte* mapped) { ::munmap(mapped, bytes); }};
  }

private:
  void copy(int64_t offset, std::span<std::byte> to) const override {
    while (!to.empty()) {
      const ssize_t got = ::pread(file_.number(), to.data(), to.size(), offset);
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got < 0) {
        fail_reading(name(), errno);
      }
      if (got == 0) {
        fail(name(), fmt::format("ends at byte {}, but had {} bytes when it was opened", offset, size()),
             "Another program is writing to it: wait until it has finished, then try again.");
      }
      to = to.subspan(static_cast<size_t>(got));
      offset += got;
    }
  }
  Descriptor file_;
};

std::unique_ptr<Source> open_path(const std::string& name) {
  // The type is checked before open: opening a device may block, and O_NONBLOCK would make a pipe look empty.
  struct stat status {};
  if (::stat(name.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      fail(name, "file not found",
           name.starts_with('/') ? "Check the spelling."
                                 : "Check the spelling; relative paths start at the current folder.");
    }
    fail_reading(name, errno);
  }
  if (S_ISDIR(status.st_mode)) {
    fail(name, "is a folder, but a file was expected", "Use a file in it.");
  }
  if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) {
    fail(name, "is a device or a socket, but a file or a pipe was expected", "Use a file or a pipe.");
  }
  Descriptor file(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) {
    fail_reading(name, errno);
  }
  if (S_ISREG(status.st_mode)) {
    return std::make_unique<FileSource>(std::move(file), name, status.st_size);
  }
  return std::make_unique<OwnedSource>(read_to_end(file.number(), name, kPipeMax), name);
}

} // namespace

std::vector<std::byte> read_to_end(int descriptor, const std::string& name, int64_t max_bytes) {
  std::vector<std::byte> bytes, block(size_t{1} << 16);
  for (;;) {
    const ssize_t got = ::read(descriptor, block.data(), block.size());
    if (got == 0) {
      return bytes;
    }
    if (got < 0 && errno != EINTR) {
      fail_reading(name, errno);
    }
    if (std::ssize(bytes) + got > max_bytes) {
      fail(name, fmt::format("has more than {} bytes, the most that is read from a pipe", max_bytes),
           "Write the data to a file and give its name, since files are read in parts: `... > data.npy`, "
           "then the path "
           "data.npy in place of \"-\".");
    }
    bytes.insert(bytes.end(), block.begin(), block.begin() + std::max<ssize_t>(got, 0));
  }
}

std::string Source::title() const {
  const std::filesystem::path path(name_);
  return printable((path.has_filename() ? path : path.parent_path()).filename().string());
}

void Source::read(int64_t offset, std::span<std::byte> to, const char* what) const {
  if (const auto count = static_cast<int64_t>(to.size()); offset > size_ || count > size_ - offset) {
    fail(name_,
         fmt::format("cannot read {} at byte {} ({} bytes), because the file ends at byte {}", what, offset,
                     count, size_),
         kFileDamaged);
  }
  copy(offset, to);
}

std::vector<std::byte> Source::first_bytes(int64_t count) const {
  std::vector<std::byte> bytes = make_bytes(name_, std::min(count, size_));
  copy(0, bytes);
  return bytes;
}

void MemorySource::copy(int64_t offset, std::span<std::byte> to) const {
  std::copy_n(bytes_.begin() + offset, to.size(), to.begin());
}

void OwnedSource::copy(int64_t offset, std::span<std::byte> to) const {
  std::copy_n(bytes_.begin() + offset, to.size(), to.begin());
}

void SliceSource::copy(int64_t offset, std::span<std::byte> to) const {
  whole_.read(begin_ + offset, to, "data");
}

bool is_standard_input(const std::filesystem::path& path) {
  return path == "-" || path == "/dev/stdin" || path == "/dev/fd/0" || path == "/proc/self/fd/0";
}

std::unique_ptr<Source> open_source(const std::filesystem::path& path) {
  // Standard input is read through its descriptor, because a socket cannot be opened by name.
  const std::string name = is_standard_input(path) ? "standard input" : path.string();
  std::unique_ptr<Source> source =
      is_standard_input(path) ? std::make_unique<OwnedSource>(read_to_end(STDIN_FILENO, name, kPipeMax), name)
                              : open_path(name);
  if (source->size() == 0) {
    fail(name, "is empty (0 bytes)",
         is_standard_input(path) ? "Pipe the data to it, or give the name of a file."
                                 : "Nothing has been written to it: create, copy or download it again.");
  }
  return source;
}

std::vector<std::filesystem::path> expand_wildcards(const std::filesystem::path& path) {
  std::error_code error;
  const std::string pattern = path.string();
  if (pattern.find_first_of("*?[") == std::string::npos ||
      std::filesystem::symlink_status(path, error).type() != std::filesystem::file_type::not_found) {
    return {path};
  }
  glob_t found{};
  const int result = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
  const std::unique_ptr<glob_t, void (*)(glob_t*)> end(&found, ::globfree);
  if (result != 0) {
    fail(pattern, "no file matches this pattern", "Check the folder and the file extension.");
  }
  std::vector<std::filesystem::path> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<std::byte> read_file(const std::filesystem::path& path) {
  const std::unique_ptr<Source> source = open_source(path);
  return source->first_bytes(source->size());
}

std::vector<std::byte> read_decompressed_file(const std::filesystem::path& path) {
  std::unique_ptr<Source> source = open_source(path);
  const std::unique_ptr<Source> content = is_gzip(*source) ? decompress(*source) : std::move(source);
  return content->first_bytes(content->size());
}

std::optional<std::vector<std::byte>> read_optional_standard_input(std::chrono::milliseconds wait) {
  using Clock = std::chrono::steady_clock;
  struct stat status {};
  if (::isatty(STDIN_FILENO) == 1 || ::fstat(STDIN_FILENO, &status) != 0) {
    return std::vector<std::byte>();
  }
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  const Clock::time_point end = Clock::now() + wait;
  int ready = 0;
  do { // a signal interrupts the wait
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    ready = ::poll(&input, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) {
    return std::nullopt;
  }
  const std::string name = "standard input";
  std::unique_ptr<Source> source =
      std::make_unique<OwnedSource>(read_to_end(STDIN_FILENO, name, kPipeMax), name);
  const std::unique_ptr<Source> content = is_gzip(*source) ? decompress(*source) : std::move(source);
  return content->first_bytes(content->size());
}

InputFile::InputFile(const std::filesystem::path& path) : source_(open_source(path)) {}
InputFile::~InputFile() = default;

int64_t InputFile::size() const {
  return source_->size();
}
std::vector<std::byte> InputFile::first_bytes(int64_t count) const {
  return source_->first_bytes(count);
}
std::shared_ptr<std::byte[]> InputFile::mapped() const {
  return source_->mapped();
}
void InputFile::read(int64_t offset, std::span<std::byte> to) const {
  source_->read(offset, to, "data");
}

void fail(const std::string& name, const std::string& problem, const std::string& advice) {
  throw DataError(fmt::format("{}: {}.\n  {}", printable(name), printable(problem), advice));
}

std::optional<int64_t> product(std::span<const int64_t> sizes) {
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) {
    return 0;
  }
  int64_t result = 1;
  for (const int64_t size : sizes) {
    if (result > std::numeric_limits<int64_t>::max() / size) {
      return std::nullopt;
    }
    result *= size;
  }
  return result;
}

int64_t limited(int64_t count, int64_t limit) {
  if (limit < 0) {
    throw UsageError(fmt::format(
        "limit: {} is not a valid number of patterns.\n  Use at least 1, or 0 for all of them.", limit));
  }
  return limit == 0 ? count : std::min(count, limit);
}

RealPatterns make_patterns(const std::string& name, int64_t count, int64_t size) {
  if (count == 0) {
    fail(name, "contains 0 patterns, at least 1 was expected", "Use a file with patterns in it.");
  }
  if (size == 0) {
    fail(name, fmt::format("contains {} patterns of 0 numbers each, at least 1 number was expected", count),
         "Use an array whose axes all have a size of at least 1.");
  }
  try {
    return RealPatterns(count, size);
  } catch (const std::bad_alloc&) {
  } catch (const UsageError&) { // more than a vector can address
  }
  fail_for_memory(name, 8 * static_cast<double>(count) * static_cast<double>(size));
}

std::vector<std::byte> make_bytes(const std::string& name, int64_t count) {
  try {
    return std::vector<std::byte>(static_cast<size_t>(count));
  } catch (const std::bad_alloc&) {
  } catch (const std::length_error&) {
  }
  fail_for_memory(name, static_cast<double>(count));
}

} // namespace mneme::data
