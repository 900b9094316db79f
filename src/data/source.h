// SPDX-License-Identifier: MIT

/// Input of all readers: a byte range of known size in memory or in a file, with a name for messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

class Source {
public:
  Source(std::string name, int64_t size) : name_(std::move(name)), size_(size) {}
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  const std::string& name() const { return name_; } ///< path, for messages
  std::string title() const;                        ///< printable file name without its folder
  int64_t size() const { return size_; }

  /// Reads to.size() bytes from `offset`. `what` describes them in messages.
  ///
  /// Errors  DataError if the source is too short
  void read(int64_t offset, std::span<std::byte> to, const char* what) const;

  /// The first `count` bytes, or all if there are fewer.
  std::vector<std::byte> first_bytes(int64_t count) const;

  /// As InputFile::mapped.
  virtual std::shared_ptr<std::byte[]> mapped() const { return nullptr; }

private:
  virtual void copy(int64_t offset, std::span<std::byte> to) const = 0; ///< the range is within size()

  std::string name_;
  int64_t size_;
};

class MemorySource : public Source {
public:
  /// The bytes must outlive the source.
  MemorySource(std::span<const std::byte> bytes, std::string name)
      : Source(std::move(name), static_cast<int64_t>(bytes.size())), bytes_(bytes) {}

private:
  void copy(int64_t offset, std::span<std::byte> to) const override;
  std::span<const std::byte> bytes_;
};

/// Source that owns its bytes, such as the content of a pipe.
class OwnedSource : public Source {
public:
  OwnedSource(std::vector<std::byte> bytes, std::string name)
      : Source(std::move(name), static_cast<int64_t>(bytes.size())), bytes_(std::move(bytes)) {}

private:
  void copy(int64_t offset, std::span<std::byte> to) const override;
  std::vector<std::byte> bytes_;
};

/// A range of another source, which must outlive this one.
class SliceSource : public Source {
public:
  /// The range must be within `whole`.
  SliceSource(const Source& whole, int64_t begin, int64_t size, std::string name)
      : Source(std::move(name), size), whole_(whole), begin_(begin) {}

private:
  void copy(int64_t offset, std::span<std::byte> to) const override;
  const Source& whole_;
  int64_t begin_;
};

/// The most bytes that are read from a pipe or from standard input, which must be in memory as a whole.
constexpr int64_t kPipeMax = int64_t{1} << 30;

/// Reads a descriptor to its end.
///
/// Errors  DataError if it has more than `max_bytes`, or cannot be read
std::vector<std::byte> read_to_end(int descriptor, const std::string& name, int64_t max_bytes);

/// Opens a source. Regular files are read on demand; a pipe and standard input are read to their end first.
///
/// Errors  as `read_file`
std::unique_ptr<Source> open_source(const std::filesystem::path& path);

/// Throws DataError "<name>: <problem>.\n  <advice>". Unprintable bytes of `name` and `problem` are escaped,
/// because they may quote the file.
[[noreturn]] void fail(const std::string& name, const std::string& problem, const std::string& advice);

/// Advice for a file that is too short, too long or inconsistent.
inline constexpr const char* kFileDamaged = "The file is damaged or cut short: copy or download it again.";

/// Product of sizes >= 0; nothing if it exceeds int64.
std::optional<int64_t> product(std::span<const int64_t> sizes);

/// Number of patterns to read: min(count, limit), or `count` if limit is 0. Errors  UsageError if limit < 0
int64_t limited(int64_t count, int64_t limit);

/// Allocates patterns of zeros. Errors  DataError if a size is 0 or memory runs out
RealPatterns make_patterns(const std::string& name, int64_t count, int64_t size);

/// Allocates `count` bytes. Errors  DataError if memory runs out
std::vector<std::byte> make_bytes(const std::string& name, int64_t count);

} // namespace mneme::data
