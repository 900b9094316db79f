// SPDX-License-Identifier: MIT

#include "mneme/data/idx.h"

#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>

#include "data/gzip.h"
#include "data/numbers.h"
#include "data/readers.h"

namespace mneme::data {
namespace {

constexpr uint32_t kImages = 0x0803, kLabels = 0x0801;

/// The values of an IDX file after its header has been checked.
class IdxFile {
public:
  IdxFile(const Source& source, uint32_t magic) : source_(source), stream_(open_stream(source)) {
    const uint32_t found = next_number("the magic number", 0);
    if (found != magic) {
      fail(source.name(),
           fmt::format("the magic number at byte 0 is 0x{:08x}, expected 0x{:08x} ({})", found, magic,
                       magic == kImages ? "images: uint8, 3 axes" : "labels: uint8, 1 axis"),
           found == kLabels   ? "This is a file of labels: give the file of images."
           : found == kImages ? "This is a file of images: give the file of labels."
                              : "Check that this is an IDX file of this kind.");
    }
    const auto axes = static_cast<int64_t>(magic & 0xFF);
    for (int64_t axis = 0; axis < axes; ++axis) {
      shape_.push_back(next_number("a size", 4 + 4 * axis));
    }
    const int64_t header = 4 + 4 * axes;
    const auto values = product(shape_);
    const int64_t there = stream_->size_bound() - header;
    if (is_gzip(source) ? !values || *values > there : values != there) {
      fail(source.name(),
           fmt::format("the sizes {} at byte 4 need {} bytes after the header of {}, but the file has {}{}",
                       fmt::join(shape_, " x "), values ? std::to_string(*values) : "more than 2^63", header,
                       is_gzip(source) ? "room for at most " : "", there),
           kFetchAgain);
    }
  }

  int64_t size(size_t axis) const { return shape_[axis]; }

  void read(std::span<std::byte> values) {
    const int64_t got = stream_->read(values);
    done_ += got;
    if (got < std::ssize(values)) {
      fail(source_.name(),
           fmt::format("the sizes {} promise {} values, but only {} are there", fmt::join(shape_, " x "),
                       product(shape_).value(), done_),
           kFetchAgain);
    }
  }

  void expect_end() {
    std::byte extra{};
    if (stream_->read({&extra, 1}) != 0) {
      fail(source_.name(),
           fmt::format("more bytes follow than the {} values of the sizes {}", done_,
                       fmt::join(shape_, " x ")),
           kFetchAgain);
    }
  }

private:
  uint32_t next_number(const char* what, int64_t at) {
    std::array<std::byte, 4> bytes{};
    if (const int64_t got = stream_->read(bytes); got < 4) {
      fail(source_.name(), fmt::format("{} at byte {} takes 4 bytes, but {} are there", what, at, got),
           kFetchAgain);
    }
    return static_cast<uint32_t>(unsigned_from(bytes, true));
  }

  const Source& source_;
  std::unique_ptr<Stream> stream_;
  std::vector<int64_t> shape_;
  int64_t done_ = 0;
};

std::vector<int64_t> read_labels(const Source& source, int64_t limit) {
  IdxFile file(source, kLabels);
  std::vector<std::byte> bytes = make_bytes(source.name(), limited(file.size(0), limit));
  file.read(bytes);
  if (std::ssize(bytes) == file.size(0)) {
    file.expect_end();
  }
  std::vector<int64_t> labels(bytes.size());
  std::transform(bytes.begin(), bytes.end(), labels.begin(),
                 [](std::byte b) { return static_cast<int64_t>(b); });
  return labels;
}

} // namespace

PatternSet read_idx(const Source& source, int64_t limit) {
  IdxFile file(source, kImages);
  PatternSet set;
  set.height = file.size(1);
  set.width = file.size(2);
  set.channels = 1;
  set.threshold = 0.5;
  set.file_scale = 255;
  set.source = source.title();
  // The product of all three fits, so that of the last two does too, unless there are no images.
  const int64_t size = file.size(0) == 0 ? 1 : set.height * set.width;
  set.patterns = make_patterns(source.name(), limited(file.size(0), limit), size);
  std::vector<std::byte> image = make_bytes(source.name(), size);
  for (int64_t i = 0; i < set.patterns.count(); ++i) {
    file.read(image);
    std::transform(image.begin(), image.end(), set.patterns[i].begin(),
                   [](std::byte pixel) { return static_cast<double>(pixel) / 255; });
  }
  if (set.patterns.count() == file.size(0)) {
    file.expect_end();
  }
  return set;
}

PatternSet parse_idx(std::span<const std::byte> bytes, const std::string& name, int64_t limit) {
  return read_idx(MemorySource(bytes, name), limit);
}

PatternSet read_idx(const std::filesystem::path& path, int64_t limit) {
  return read_idx(*open_source(path), limit);
}

std::vector<int64_t> parse_idx_labels(std::span<const std::byte> bytes, const std::string& name,
                                      int64_t limit) {
  return read_labels(MemorySource(bytes, name), limit);
}

std::vector<int64_t> read_idx_labels(const std::filesystem::path& path, int64_t limit) {
  return read_labels(*open_source(path), limit);
}

} // namespace mneme::data
