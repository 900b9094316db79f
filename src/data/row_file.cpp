// SPDX-License-Identifier: MIT

#include "mneme/data/row_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/array.h"
#include "data/readers.h"
#include "data/source.h"
#include "mneme/core/error.h"

namespace mneme::data {
namespace {

constexpr size_t kBlock = 1 << 14; // numbers converted at once

template <class T> constexpr NumberType kTypeOf = NumberType::f64;
template <> constexpr NumberType kTypeOf<float> = NumberType::f32;

/// True if a number is nan or infinite, which means that its exponent bits are all ones. Written with integer
/// operations so that the compiler vectorises the loop.
template <class T> bool any_not_finite(std::span<const T> numbers) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  constexpr Bits kExponent = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  Bits found = 0;
  for (const T x : numbers) {
    found |= static_cast<Bits>((std::bit_cast<Bits>(x) & kExponent) == kExponent);
  }
  return found != 0;
}

} // namespace

struct RowFile::Matrix {
  std::unique_ptr<Source> source;
  Array array;
  int64_t count, size;

  Matrix(std::unique_ptr<Source> opened, Array described)
      : source(std::move(opened)), array(std::move(described)) {
    if (array.shape.size() != 2 || array.shape[1] == 0) {
      fail(source->name(),
           fmt::format("contains an array of shape ({}), but a matrix (rows, features) was expected",
                       fmt::join(array.shape, ", ")),
           "Reshape it: each row is one pattern of at least 1 feature.");
    }
    count = array.shape[0];
    size = array.shape[1];
    if (array.column_major && count > 1 && size > 1) {
      fail(source->name(),
           fmt::format("stores its {} x {} numbers in Fortran order (column by column)", count, size),
           "Save numpy.ascontiguousarray(x), so that rows are contiguous.");
    }
  }

  template <class T> void read(int64_t first, std::span<T> to) const {
    const auto rows = static_cast<int64_t>(to.size()) / size;
    if (first < 0 || rows > count - first || static_cast<int64_t>(to.size()) != rows * size) {
      throw UsageError(fmt::format(
          "mneme::data::RowFile: cannot read {} numbers from row {} on, because {} has {} rows of "
          "{}.\n  Read complete rows within this range.",
          to.size(), first, source->name(), count, size));
    }
    const int64_t item = bytes_of(array.type), begin = array.offset + first * size * item;
    constexpr bool kNativeIsLittle = std::endian::native == std::endian::little;
    if (array.type == kTypeOf<T> && array.big_endian != kNativeIsLittle) {
      source->read(begin, std::as_writable_bytes(to), "rows");
    } else {
      std::vector<std::byte> bytes(std::min(kBlock, to.size()) * static_cast<size_t>(item));
      std::vector<double> numbers(std::min(kBlock, to.size()));
      for (size_t at = 0; at < to.size(); at += kBlock) {
        const size_t length = std::min(kBlock, to.size() - at);
        const std::span<std::byte> block(bytes.data(), length * static_cast<size_t>(item));
        source->read(begin + static_cast<int64_t>(at) * item, block, "rows");
        decode(array.type, array.big_endian, block, std::span(numbers.data(), length));
        std::transform(numbers.data(), numbers.data() + length, to.data() + at,
                       [](double x) { return static_cast<T>(x); });
      }
    }
    check(first, std::span<const T>(to));
  }

  template <class T> void check(int64_t first, std::span<const T> numbers) const {
    if (any_not_finite(numbers)) {
      const auto found = std::find_if(numbers.begin(), numbers.end(), [](T x) { return !std::isfinite(x); });
      const int64_t at = found - numbers.begin();
      fail(source->name(),
           fmt::format("row {}, feature {} is {}, finite numbers were expected", first + at / size, at % size,
                       *found),
           "Replace it, or remove this row.");
    }
  }
};

RowFile::RowFile(const std::filesystem::path& path, const std::string& tensor) {
  std::unique_ptr<Source> source = open_source(path);
  Array array = path.extension() == ".safetensors" ? find_safetensors(*source, tensor) : find_npy(*source);
  matrix_ = std::make_unique<const Matrix>(std::move(source), std::move(array));
}
RowFile::~RowFile() = default;

int64_t RowFile::count() const {
  return matrix_->count;
}
int64_t RowFile::size() const {
  return matrix_->size;
}
void RowFile::read(int64_t first, std::span<float> to) const {
  matrix_->read(first, to);
}
void RowFile::read(int64_t first, std::span<double> to) const {
  matrix_->read(first, to);
}

} // namespace mneme::data
