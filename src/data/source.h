// SPDX-License-Identifier: MIT

/// What every reader reads from: bytes with a name and a known length, in memory or in a file.
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

  const std::string& name() const { return name_; } ///< the path, for messages
  std::string title() const;                        ///< the last part of the path, printable
  int64_t size() const { return size_; }

  /// Fills `to` with the bytes from `offset` on, called `what` in messages.
  ///
  /// Errors  DataError if the source ends before
  void read(int64_t offset, std::span<std::byte> to, const char* what) const;

  /// As many of the first `count` bytes as there are.
  std::vector<std::byte> start(int64_t count) const;

private:
  virtual void copy(int64_t offset, std::span<std::byte> to) const = 0; ///< the range lies within size()

  std::string name_;
  int64_t size_;
};

class MemorySource : public Source {
public:
  /// The bytes must outlive this.
  MemorySource(std::span<const std::byte> bytes, std::string name)
      : Source(std::move(name), static_cast<int64_t>(bytes.size())), bytes_(bytes) {}

private:
  void copy(int64_t offset, std::span<std::byte> to) const override;
  std::span<const std::byte> bytes_;
};

/// Bytes of its own, such as what came out of a pipe.
class OwnedSource : public Source {
public:
  OwnedSource(std::vector<std::byte> bytes, std::string name)
      : Source(std::move(name), static_cast<int64_t>(bytes.size())), bytes_(std::move(bytes)) {}

private:
  void copy(int64_t offset, std::span<std::byte> to) const override;
  std::vector<std::byte> bytes_;
};

/// A range of another source, which must outlive this.
class SliceSource : public Source {
public:
  /// The range must lie within the source.
  SliceSource(const Source& whole, int64_t begin, int64_t size, std::string name)
      : Source(std::move(name), size), whole_(whole), begin_(begin) {}

private:
  void copy(int64_t offset, std::span<std::byte> to) const override;
  const Source& whole_;
  int64_t begin_;
};

/// A regular file, read where it is asked for; a pipe and standard input are read to their end first. Errors as
/// `read_file`.
std::unique_ptr<Source> open_source(const std::filesystem::path& path);

/// Throws DataError "<name>: <problem>.\n  <advice>"; name and problem, which may quote a file, are made printable.
[[noreturn]] void fail(const std::string& name, const std::string& problem, const std::string& advice);

/// Advice for a file that ends too early, is too long or holds nonsense.
inline constexpr const char* kFetchAgain = "The file is damaged or cut short: copy or download it again.";

/// The product, or nothing if it exceeds int64; sizes are >= 0.
std::optional<int64_t> product(std::span<const int64_t> sizes);

/// Patterns to read out of `count`. Errors  UsageError if limit < 0
int64_t limited(int64_t count, int64_t limit);

/// Patterns of zeros. Errors  DataError if there are none, if they are empty or if memory does not suffice
RealPatterns make_patterns(const std::string& name, int64_t count, int64_t size);

/// Room for `count` bytes. Errors  DataError if memory does not suffice
std::vector<std::byte> make_bytes(const std::string& name, int64_t count);

} // namespace mneme::data
