// SPDX-License-Identifier: MIT

#include "data/array.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/data/packed_bits.h"

namespace mneme::data {
namespace {

constexpr int64_t kBlock = 1 << 14;       // numbers decoded at once
constexpr int64_t kPackedBlock = 1 << 20; // bytes of packed bits read at once
constexpr double kMaxByte = 255;

/// Decodes the numbers [0, count) in file order and calls visit(index of the first number, numbers) for each
/// block.
template <class Visit>
void for_each_block(const Source& source, const Array& array, int64_t count, Visit visit) {
  const int64_t item = bytes_of(array.type);
  std::vector<std::byte> bytes(static_cast<size_t>(std::min(count, kBlock) * item));
  std::vector<double> numbers(static_cast<size_t>(std::min(count, kBlock)));
  for (int64_t first = 0; first < count; first += kBlock) {
    throw_if_interrupted();
    const auto length = static_cast<size_t>(std::min(count - first, kBlock));
    const std::span<std::byte> block(bytes.data(), length * static_cast<size_t>(item));
    source.read(array.offset + first * item, block, "numbers");
    decode(array.type, array.big_endian, block, std::span(numbers.data(), length));
    visit(first, std::span<const double>(numbers.data(), length));
  }
}

void read_row_major(const Source& source, const Array& array, RealPatterns& patterns) {
  for_each_block(source, array, patterns.count() * patterns.size(),
                 [&](int64_t first, std::span<const double> numbers) {
                   std::copy(numbers.begin(), numbers.end(), patterns.data() + first);
                 });
}

void read_column_major(const Source& source, const Array& array, RealPatterns& patterns) {
  const int64_t rows = array.shape[0];
  const std::span<const int64_t> axes = std::span(array.shape).subspan(1);
  std::vector<int64_t> index(axes.size(), 0);
  int64_t row = 0, position = 0; // position: row-major offset of `index`
  for_each_block(source, array, rows * patterns.size(), [&](int64_t, std::span<const double> numbers) {
    for (const double number : numbers) {
      if (row < patterns.count()) {
        patterns[row][static_cast<size_t>(position)] = number;
      }
      if (++row < rows) {
        continue;
      }
      row = 0;
      for (size_t axis = 0; axis < axes.size() && ++index[axis] == axes[axis]; ++axis) {
        index[axis] = 0;
      }
      position = 0;
      for (size_t axis = 0; axis < axes.size(); ++axis) {
        position = position * axes[axis] + index[axis];
      }
    }
  });
}

/// Statistics of the numbers, used to decide whether they are pixels.
struct Content {
  bool zeros_and_ones = true, in_unit_interval = true, bytes = true;
  double max = 0;

  void add(double x) {
    zeros_and_ones &= x == 0 || x == 1;
    in_unit_interval &= x >= 0 && x <= 1;
    bytes &= x >= 0 && x <= kMaxByte && x == std::floor(x);
    max = std::max(max, x);
  }
};

Content examine(const Source& source, const Array& array, const RealPatterns& patterns) {
  Content content;
  const int64_t size = patterns.size();
  for (int64_t i = 0; i < patterns.count() * size; ++i) {
    const double x = patterns.data()[i];
    if (!std::isfinite(x)) {
      fail(source.name(),
           fmt::format("pattern {}, position {}: a finite number was expected, found {}", i / size, i % size,
                       x),
           "Replace it, or remove this pattern.");
    }
    if (array.type == NumberType::boolean && x != 0 && x != 1) {
      fail(source.name(),
           fmt::format("pattern {}, position {}: a boolean must be 0 or 1, found {}", i / size, i % size, x),
           kFileDamaged);
    }
    content.add(x);
  }
  if (patterns.count() < array.shape[0]) {
    // Whether numbers are pixels must not depend on the limit, so the rest of the file is examined, too.
    constexpr int64_t kNumbersMax = int64_t{1} << 26;
    for_each_block(source, array, std::min(array.shape[0], kNumbersMax / size) * size,
                   [&](int64_t, std::span<const double> numbers) {
                     for (const double x : numbers) {
                       if (std::isfinite(x)) {
                         content.add(x);
                       }
                     }
                   });
  }
  return content;
}

/// The image shape if arrays of this shape can be images, and whether the channels come first; otherwise {}.
std::pair<ImageShape, bool> image_shape_of(std::span<const int64_t> shape) {
  const auto is_channels = [](int64_t size) { return size == 1 || size == 3; };
  if (shape.size() == 3) {
    return {{shape[1], shape[2], 1}, false};
  }
  if (shape.size() == 4 && is_channels(shape[3])) {
    return {{shape[1], shape[2], shape[3]}, false};
  }
  if (shape.size() == 4 && is_channels(shape[1])) {
    return {{shape[2], shape[3], shape[1]}, true};
  }
  return {};
}

/// Converts [channels, height, width] to [height, width, channels] in place.
void move_channels_last(RealPatterns& patterns, const ImageShape& shape) {
  const int64_t plane = shape.height * shape.width;
  std::vector<double> pixels(static_cast<size_t>(patterns.size()));
  for (int64_t i = 0; i < patterns.count(); ++i) {
    const std::span<double> pattern = patterns[i];
    for (size_t at = 0; at < pixels.size(); ++at) {
      const auto pixel = static_cast<int64_t>(at) / shape.channels,
                 channel = static_cast<int64_t>(at) % shape.channels;
      pixels[at] = pattern[static_cast<size_t>(channel * plane + pixel)];
    }
    std::copy(pixels.begin(), pixels.end(), pattern.begin());
  }
}

} // namespace

RealPatterns read_numbers(const Source& source, const Array& array, int64_t limit) {
  const std::span<const int64_t> shape = array.shape;
  if (shape.empty()) {
    fail(source.name(), "shape () is a single number, an array of patterns was expected",
         "Save an array with at least one axis: the first one counts the patterns.");
  }
  // The caller has checked that all numbers are within the file, so the product of the other axes does not
  // overflow, unless there are no patterns.
  const int64_t size = shape[0] == 0 ? 1 : product(shape.subspan(1)).value();
  RealPatterns patterns = make_patterns(source.name(), limited(shape[0], limit), size);
  if (array.column_major) {
    read_column_major(source, array, patterns);
  } else {
    read_row_major(source, array, patterns);
  }
  return patterns;
}

namespace {

/// The packed rows [first, first + count), in row-major order.
std::vector<std::byte> packed_rows(const Source& source, const Array& array, int64_t first, int64_t count) {
  const int64_t size = array.shape[1];
  std::vector<std::byte> rows(static_cast<size_t>(count * size));
  if (!array.column_major) {
    source.read(array.offset + first * size, rows, "packed bits");
    return rows;
  }
  std::vector<std::byte> column(static_cast<size_t>(count));
  for (int64_t at = 0; at < size; ++at) {
    source.read(array.offset + at * array.shape[0] + first, column, "packed bits");
    for (int64_t row = 0; row < count; ++row) {
      rows[static_cast<size_t>(row * size + at)] = column[static_cast<size_t>(row)];
    }
  }
  return rows;
}

/// Unpacks bytes [N, B] to bits, block by block.
BitPatterns read_packed(const Source& source, const Array& array, const LoadOptions& options) {
  if (array.type != NumberType::u8 || array.shape.size() != 2) {
    throw UsageError(
        fmt::format("{}: packed bits must be uint8 of shape [patterns, bytes], but the array is {} of shape "
                    "[{}].\n  Remove --packed, or save numpy.packbits(x, axis=1).",
                    source.name(), name_of(array.type), fmt::join(array.shape, ", ")));
  }
  constexpr int64_t kBitsPerByte = 8;
  const int64_t count = limited(array.shape[0], options.limit), stored = array.shape[1];
  const int64_t bits = options.bits == 0 ? stored * kBitsPerByte : options.bits;
  if (count == 0 || stored == 0) {
    make_patterns(source.name(), count, stored); // throws
  }
  if (bits <= (stored - 1) * kBitsPerByte || bits > stored * kBitsPerByte) {
    throw UsageError(fmt::format("{}: {} bits per pattern do not match the {} bytes of a pattern.\n"
                                 "  Set --bits to a number from {} to {}, or remove it to use {}.",
                                 source.name(), bits, stored, stored * kBitsPerByte - kBitsPerByte + 1,
                                 stored * kBitsPerByte, stored * kBitsPerByte));
  }
  BitPatterns patterns(count, bits);
  const int64_t rows_per_block = std::max<int64_t>(1, kPackedBlock / stored);
  for (int64_t first = 0; first < count; first += rows_per_block) {
    throw_if_interrupted();
    const int64_t rows = std::min(rows_per_block, count - first);
    const BitPatterns block = unpack_bits(packed_rows(source, array, first, rows), rows,
                                          stored * kBitsPerByte, *options.packed, source.name());
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t bit = bits; bit < block.bits(); ++bit) {
        if (block.get(row, bit)) {
          fail(source.name(),
               fmt::format("pattern {}: bit {} is 1, but the {} bits after bit {} must be 0", first + row,
                           bit, stored * kBitsPerByte - bits, bits - 1),
               "Check the number of bits (--bits) and the bit order (--packed).");
        }
      }
      // The padding is less than a byte, so that the number of words is the same.
      std::ranges::copy(block[row], patterns[first + row].begin());
    }
  }
  return patterns;
}

} // namespace

PatternSet read_array(const Source& source, const Array& array, const LoadOptions& options) {
  PatternSet set;
  set.source = source.title();
  set.count_without_limit = array.shape.empty() ? 0 : array.shape[0];
  if (options.packed) {
    set.bits = read_packed(source, array, options);
    set.threshold = 0.5;
    if (!options.as_bits) {
      set.patterns = to_zeros_and_ones(std::exchange(set.bits, {}));
    }
    return set;
  }
  set.patterns = read_numbers(source, array, options.limit);
  const Content content = examine(source, array, set.patterns);
  const bool is_bytes = array.type == NumberType::u8;
  constexpr double kHalfBrightness = 127;
  const bool like_pixels =
      content.in_unit_interval || (content.bytes && (is_bytes || content.max > kHalfBrightness));
  const auto [shape, channels_first] = image_shape_of(array.shape);
  if (shape != ImageShape{} && like_pixels) {
    set.height = shape.height;
    set.width = shape.width;
    set.channels = shape.channels;
    if (channels_first && shape.channels > 1) {
      move_channels_last(set.patterns, shape);
    }
  }
  if ((is_bytes || set.is_image()) && !content.in_unit_interval) {
    std::for_each_n(set.patterns.data(), set.patterns.count() * set.patterns.size(),
                    [](double& x) { x /= kMaxByte; });
    set.file_scale = kMaxByte;
  }
  set.threshold = set.is_image() || content.zeros_and_ones || set.file_scale == kMaxByte ? 0.5 : 0;
  return set;
}

} // namespace mneme::data
