// SPDX-License-Identifier: MIT

#include "mneme/data/idx.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/array.h"
#include "data/gzip.h"
#include "data/numbers.h"
#include "data/readers.h"

namespace mneme::data {
namespace {

constexpr uint32_t kImages = 0x0803, kLabels = 0x0801;
constexpr uint32_t kMaxAxes = 4;

struct CodedType {
  uint32_t code; ///< third byte of the magic number
  NumberType type;
};
constexpr std::array<CodedType, 6> kTypes{{{0x08, NumberType::u8},
                                           {0x09, NumberType::i8},
                                           {0x0B, NumberType::i16},
                                           {0x0C, NumberType::i32},
                                           {0x0D, NumberType::f32},
                                           {0x0E, NumberType::f64}}};

std::optional<NumberType> type_of(uint32_t magic) {
  const uint32_t axes = magic & 0xFF;
  const auto found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const CodedType& t) { return t.code == magic >> 8; });
  return found == kTypes.end() || axes < 1 || axes > kMaxAxes ? std::nullopt : std::optional(found->type);
}

/// An IDX file with a valid header.
class IdxFile {
public:
  /// `labels`: true for a file of labels, false for patterns.
  IdxFile(const Source& source, bool labels) : source_(source), stream_(open_stream(source)) {
    const uint32_t magic = next_number("the magic number", 0);
    const std::optional<NumberType> type = type_of(magic);
    if (!type || (magic == kLabels) != labels) {
      fail(source.name(),
           fmt::format(
               "the magic number at byte 0 is 0x{:08x}, expected 0x{:08x} ({})", magic,
               labels ? kLabels : kImages,
               labels ? "labels: uint8, 1 axis"
                      : "images: uint8, 3 axes; or another of the types 08, 09, 0b, 0c, 0d, 0e, 1 to 4 axes"),
           magic == kLabels             ? "This is a file of labels: use the file of images."
           : magic == kImages && labels ? "This is a file of images: use the file of labels."
                                        : "Check that this is an IDX file of the expected type.");
    }
    array_.type = *type;
    array_.big_endian = true;
    const auto axes = static_cast<int64_t>(magic & 0xFF);
    for (int64_t axis = 0; axis < axes; ++axis) {
      array_.shape.push_back(next_number("a size", 4 + 4 * axis));
    }
    array_.offset = 4 + 4 * axes;
    const auto values = product(array_.shape);
    const int64_t item = bytes_of(*type), available = stream_->size_bound() - array_.offset;
    if (!values || *values > available / item || (!is_gzip(source) && *values * item != available)) {
      fail(source.name(),
           fmt::format(
               "the sizes {} at byte 4 require {} bytes after the header of {} bytes, but the file has {}{}",
               sizes(),
               values && *values <= INT64_MAX / item ? std::to_string(*values * item) : "more than 2^63",
               array_.offset, is_gzip(source) ? "at most " : "", available),
           kFileDamaged);
    }
  }

  const Array& array() const { return array_; }

  /// The bytes of the first `count` entries. If these are all, no bytes may follow.
  std::vector<std::byte> read(int64_t count) {
    const int64_t all = array_.shape[0];
    const int64_t values = product(array_.shape).value();
    const int64_t requested = all == 0 ? 0 : values / all * count * bytes_of(array_.type);
    std::vector<std::byte> bytes = make_bytes(source_.name(), requested);
    if (const int64_t got = stream_->read(bytes); got < requested) {
      fail(source_.name(),
           fmt::format("the sizes {} require {} values, but the file has only {}", sizes(), values,
                       got / bytes_of(array_.type)),
           kFileDamaged);
    }
    std::byte extra{};
    if (count == all && stream_->read({&extra, 1}) != 0) {
      fail(source_.name(),
           fmt::format("the file continues after the {} values of the sizes {}", values, sizes()),
           kFileDamaged);
    }
    return bytes;
  }

private:
  std::string sizes() const { return fmt::format("{}", fmt::join(array_.shape, " x ")); }

  uint32_t next_number(const char* what, int64_t at) {
    std::array<std::byte, 4> bytes{};
    if (const int64_t got = stream_->read(bytes); got < 4) {
      fail(source_.name(),
           fmt::format("{} at byte {} has 4 bytes, but the file ends after {}", what, at, got), kFileDamaged);
    }
    return static_cast<uint32_t>(unsigned_from(bytes, true));
  }

  const Source& source_;
  std::unique_ptr<Stream> stream_;
  Array array_;
};

std::vector<int64_t> read_labels(const Source& source, int64_t limit) {
  IdxFile file(source, true);
  const std::vector<std::byte> bytes = file.read(limited(file.array().shape[0], limit));
  std::vector<int64_t> labels(bytes.size());
  std::transform(bytes.begin(), bytes.end(), labels.begin(),
                 [](std::byte b) { return static_cast<int64_t>(b); });
  return labels;
}

} // namespace

bool is_idx_magic(uint32_t magic) {
  return type_of(magic).has_value();
}

PatternSet read_idx(const Source& source, const LoadOptions& options) {
  IdxFile file(source, false);
  if (!is_gzip(source)) {
    return read_array(source, file.array(), options);
  }
  // Decompression stops at the last requested pattern, unless the numbers up to there do not decide between
  // bits and pixels.
  Array array = file.array();
  const int64_t all = array.shape[0], count = limited(all, options.limit);
  OwnedSource bytes(file.read(count), source.name());
  array.shape[0] = count;
  array.offset = 0;
  PatternSet set = read_array(bytes, array, options);
  if (count < all && set.file_scale == 1) {
    IdxFile whole(source, false);
    array.shape[0] = all;
    set = read_array(OwnedSource(whole.read(all), source.name()), array, options);
  }
  set.count_without_limit = all;
  return set;
}

PatternSet parse_idx(std::span<const std::byte> bytes, const std::string& name, int64_t limit) {
  return read_idx(MemorySource(bytes, name), {.limit = limit});
}

PatternSet read_idx(const std::filesystem::path& path, int64_t limit) {
  return read_idx(*open_source(path), {.limit = limit});
}

std::vector<int64_t> parse_idx_labels(std::span<const std::byte> bytes, const std::string& name,
                                      int64_t limit) {
  return read_labels(MemorySource(bytes, name), limit);
}

std::vector<int64_t> read_idx_labels(const std::filesystem::path& path, int64_t limit) {
  return read_labels(*open_source(path), limit);
}

} // namespace mneme::data
