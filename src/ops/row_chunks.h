// SPDX-License-Identifier: MIT

/// Rows of tensors for the CPU kernels: conversion of bytes, division into chunks for threads, sums of
/// partial results.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "mneme/core/parallel.h"

namespace mneme::ops {

/// Bytes are pixels: byte / kPixelMax.
constexpr int kPixelMax = 255;

/// byte / 255 by a multiplication and a correction step: the same rounding as the division for all 256 bytes,
/// three times as fast (checked by AssociateOfBytes.EqualsTheDivisionForEveryByte).
template <class T> T pixel_value(uint8_t byte) {
  constexpr T kStep = T{1} / T{kPixelMax};
  const auto number = static_cast<T>(byte);
  const T near = number * kStep;
  return near + (number - near * T{kPixelMax}) * kStep;
}

/// Reader of the rows of a contiguous matrix: rows of T are read in place (zero-copy), bytes are converted to
/// T. Each thread needs its own reader.
template <class T> class RowReader {
public:
  RowReader(const at::Tensor& rows, int64_t row_size)
      : row_size_(row_size),
        bytes_(rows.scalar_type() == at::kByte ? rows.const_data_ptr<uint8_t>() : nullptr),
        numbers_(bytes_ == nullptr ? rows.const_data_ptr<T>() : nullptr) {}

  /// Number of rows, of `count`, to read per call: few enough for converted rows to stay in the cache; all
  /// rows if nothing is converted.
  int64_t rows_per_read(int64_t count) const {
    return bytes_ != nullptr ? std::min<int64_t>(count, 1024) : count;
  }

  /// `count` rows from `first` on; valid until the next call.
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
    std::transform(from, from + size, to, pixel_value<T>);
    return to;
  }

private:
  int64_t row_size_;
  const uint8_t* bytes_;
  const T* numbers_;
  std::unique_ptr<T[]> converted_;
  int64_t capacity_ = 0;
};

/// Sum over the first dimension, each element in order: independent of the number of threads.
template <class T> at::Tensor sum_partials(const at::Tensor& partials) {
  if (partials.size(0) == 1) {
    return partials.squeeze(0);
  }
  at::Tensor total = at::empty(partials.sizes().slice(1), partials.options());
  const int64_t count = total.numel(), num_partials = partials.size(0);
  const T* from = partials.const_data_ptr<T>();
  T* to = total.mutable_data_ptr<T>();
  constexpr int64_t kBlock = 16384;
  parallel_for(count, kBlock, [&](int64_t begin, int64_t end) {
    std::copy(from + begin, from + end, to + begin);
    for (int64_t partial = 1; partial < num_partials; ++partial) {
      for (int64_t i = begin; i < end; ++i) {
        to[i] += from[partial * count + i];
      }
    }
  });
  return total;
}

/// Division of rows into chunks of equal size (but the last), each computed by one thread. It depends on
/// sizes alone, never on the number of threads, so that results do not either.
struct RowChunks {
  int64_t num_rows, chunk_size, num_chunks;

  /// At most `max_chunks` chunks of at least `min_size` rows.
  RowChunks(int64_t rows, int64_t max_chunks, int64_t min_size) : num_rows(rows) {
    const int64_t limit = std::max<int64_t>(1, std::min(max_chunks, rows / min_size));
    chunk_size = std::max<int64_t>(1, (rows + limit - 1) / limit);
    num_chunks = std::max<int64_t>(1, (rows + chunk_size - 1) / chunk_size);
  }
  int64_t begin(int64_t chunk) const { return std::min(num_rows, chunk * chunk_size); }
  int64_t end(int64_t chunk) const { return std::min(num_rows, (chunk + 1) * chunk_size); }
};

/// Number of chunks to aim for: enough to keep this many threads busy. Each chunk may cost a partial result.
constexpr int64_t kTargetChunks = 16;

} // namespace mneme::ops
