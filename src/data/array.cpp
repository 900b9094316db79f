// SPDX-License-Identifier: MIT

#include "data/array.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace mneme::data {
namespace {

constexpr int64_t kBlock = 1 << 14; // numbers decoded at once

/// Calls take(first number, numbers) for blocks of the numbers [0, count) in the order of the file.
template <class Take>
void for_each_block(const Source& source, const Array& array, int64_t count, Take take) {
  const int64_t item = bytes_of(array.type);
  std::vector<std::byte> bytes(static_cast<size_t>(std::min(count, kBlock) * item));
  std::vector<double> numbers(static_cast<size_t>(std::min(count, kBlock)));
  for (int64_t first = 0; first < count; first += kBlock) {
    const auto length = static_cast<size_t>(std::min(count - first, kBlock));
    const std::span<std::byte> block(bytes.data(), length * static_cast<size_t>(item));
    source.read(array.offset + first * item, block, "numbers");
    decode(array.type, array.big_endian, block, std::span(numbers.data(), length));
    take(first, std::span<const double>(numbers.data(), length));
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
  int64_t row = 0, position = 0; // position: of `index` in row-major order
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

/// The kinds of content that rules ask for.
struct Content {
  bool zeros_and_ones = true, in_unit_interval = true;
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
           "Replace it, or leave this pattern out.");
    }
    if (array.type == NumberType::boolean && x != 0 && x != 1) {
      fail(source.name(),
           fmt::format("pattern {}, position {}: a boolean must be 0 or 1, found {}", i / size, i % size, x),
           kFetchAgain);
    }
    content.zeros_and_ones &= x == 0 || x == 1;
    content.in_unit_interval &= x >= 0 && x <= 1;
  }
  return content;
}

bool has_image_shape(std::span<const int64_t> shape) {
  return shape.size() == 3 || (shape.size() == 4 && (shape[3] == 1 || shape[3] == 3));
}

} // namespace

PatternSet read_array(const Source& source, const Array& array, int64_t limit) {
  const std::span<const int64_t> shape = array.shape;
  if (shape.empty()) {
    fail(source.name(), "shape () is a single number, an array of patterns was expected",
         "Store at least one axis: the first one counts the patterns.");
  }
  PatternSet set;
  // The caller has seen that all of it lies within the file, so the product of the other axes fits too,
  // unless there are no patterns.
  const int64_t size = shape[0] == 0 ? 1 : product(shape.subspan(1)).value();
  set.patterns = make_patterns(source.name(), limited(shape[0], limit), size);
  set.source = source.title();
  if (array.column_major) {
    read_column_major(source, array, set.patterns);
  } else {
    read_row_major(source, array, set.patterns);
  }

  const Content content = examine(source, array, set.patterns);
  const bool bytes = array.type == NumberType::u8 || array.type == NumberType::boolean;
  if (has_image_shape(shape) && (bytes || (is_float(array.type) && content.in_unit_interval))) {
    set.height = shape[1];
    set.width = shape[2];
    set.channels = shape.size() == 4 ? shape[3] : 1;
    if (!content.in_unit_interval) {
      std::for_each_n(set.patterns.data(), set.patterns.count() * size, [](double& x) { x /= 255; });
      set.file_scale = 255;
    }
  }
  set.threshold = set.is_image() || content.zeros_and_ones ? 0.5 : 0;
  return set;
}

} // namespace mneme::data
