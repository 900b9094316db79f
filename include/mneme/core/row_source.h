// SPDX-License-Identifier: MIT

/// Matrix of which rows are read on demand, for more rows than fit in memory.
#pragma once

#include <cstdint>
#include <span>

namespace mneme {

/// Source of rows, for example a file.
class RowSource {
public:
  virtual ~RowSource() = default;

  virtual int64_t count() const = 0; ///< number of rows
  virtual int64_t size() const = 0;  ///< numbers per row

  /// Fills `to`, a buffer for a number of complete rows, with the rows from `first` on. Called by several
  /// threads at once.
  virtual void read(int64_t first, std::span<float> to) const = 0;
  virtual void read(int64_t first, std::span<double> to) const = 0;
};

} // namespace mneme
