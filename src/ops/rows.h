// SPDX-License-Identifier: MIT

/// Rows of tensors as the kernels take them: pointers to T, bytes read as pixels.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "mneme/core/parallel.h"

namespace mneme::ops {

/// A byte stands for byte / 255, as pixels do.
constexpr int kByteWhite = 255;

/// byte / 255, rounded as the division rounds it for each of the 256, but three times as fast (checked by
/// AssociateOfBytes.ReadsEveryByteAsTheDivisionWould).
template <class T> T pixel(uint8_t byte) {
  constexpr T kStep = T{1} / T{kByteWhite};
  const auto number = static_cast<T>(byte);
  const T near = number * kStep;
  return near + (number - near * T{kByteWhite}) * kStep;
}

/// Rows of a contiguous matrix, read in chunks: as they are where they hold T, converted where they hold
/// bytes.
template <class T> class RowReader {
public:
  RowReader(const at::Tensor& rows, int64_t row_size)
      : row_size_(row_size),
        bytes_(rows.scalar_type() == at::kByte ? rows.const_data_ptr<uint8_t>() : nullptr),
        numbers_(bytes_ == nullptr ? rows.const_data_ptr<T>() : nullptr) {}

  /// Rows to read at once so that converted ones stay near; all where nothing is converted.
  int64_t chunk(int64_t count) const { return bytes_ != nullptr ? std::min<int64_t>(count, 1024) : count; }

  /// The rows from `first` on; valid until the next call. Each thread has its own reader.
  const T* read(int64_t first, int64_t count) {
    if (bytes_ == nullptr) {
      return numbers_ + first * row_size_;
    }
    const int64_t size = count * row_size_;
    if (size > capacity_) {
      converted_ = std::make_unique_for_overwrite<T[]>(static_cast<size_t>(size));
      capacity_ = size;
    }
    const uint8_t* from = bytes_ + first * row_size_;
    T* to = converted_.get();
    std::transform(from, from + size, to, pixel<T>);
    return to;
  }

private:
  int64_t row_size_;
  const uint8_t* bytes_;
  const T* numbers_;
  std::unique_ptr<T[]> converted_;
  int64_t capacity_ = 0;
};

/// The sum over the first dimension, each element in order: the same for any number of threads.
template <class T> at::Tensor sum_of_parts(const at::Tensor& parts) {
  if (parts.size(0) == 1) {
    return parts.squeeze(0);
  }
  at::Tensor total = at::empty(parts.sizes().slice(1), parts.options());
  const int64_t count = total.numel(), num_parts = parts.size(0);
  const T* from = parts.const_data_ptr<T>();
  T* to = total.mutable_data_ptr<T>();
  constexpr int64_t kBlock = 16384;
  parallel_for(count, kBlock, [&](int64_t begin, int64_t end) {
    std::copy(from + begin, from + end, to + begin);
    for (int64_t part = 1; part < num_parts; ++part) {
      for (int64_t i = begin; i < end; ++i) {
        to[i] += from[part * count + i];
      }
    }
  });
  return total;
}

/// How `count` rows are cut into pieces worked on apart. It depends on sizes alone, never on threads.
struct Cut {
  int64_t count, piece, pieces;

  /// At most `pieces_wanted` pieces of at least `least` rows.
  Cut(int64_t rows, int64_t pieces_wanted, int64_t least) : count(rows) {
    const int64_t most = std::max<int64_t>(1, std::min(pieces_wanted, rows / least));
    piece = std::max<int64_t>(1, (rows + most - 1) / most);
    pieces = std::max<int64_t>(1, (rows + piece - 1) / piece);
  }
  int64_t begin(int64_t index) const { return std::min(count, index * piece); }
  int64_t end(int64_t index) const { return std::min(count, (index + 1) * piece); }
};

/// Pieces of work that keep this many threads busy; each may cost a copy of what is added up.
constexpr int64_t kPiecesWanted = 16;

} // namespace mneme::ops
