// SPDX-License-Identifier: MIT

/// Rows of numbers that are read where they are asked for: more of them than memory holds.
#pragma once

#include <cstdint>
#include <span>

namespace mneme {

class RowSource {
public:
  virtual ~RowSource() = default;

  virtual int64_t count() const = 0; ///< rows
  virtual int64_t size() const = 0;  ///< numbers of a row

  /// Fills `to`, room for whole rows, with the rows from `first` on. Several threads may call it at once.
  virtual void read(int64_t first, std::span<float> to) const = 0;
  virtual void read(int64_t first, std::span<double> to) const = 0;
};

} // namespace mneme
