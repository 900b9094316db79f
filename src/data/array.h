// SPDX-License-Identifier: MIT

/// Conversion of arrays of numbers in a file to patterns, for all file formats.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/numbers.h"
#include "data/source.h"
#include "mneme/data/load_patterns.h"
#include "mneme/data/pattern_set.h"

namespace mneme::data {

struct Array {
  NumberType type = NumberType::u8;
  bool big_endian = false;
  bool column_major = false;  ///< Fortran order: the first axis varies fastest
  std::vector<int64_t> shape; ///< the first axis counts patterns
  int64_t offset = 0; ///< byte offset of the first number; the caller checks that all are in the source
};

/// Reads at most `limit` patterns (0: all) without scaling.
RealPatterns read_numbers(const Source& source, const Array& array, int64_t limit);

/// Reads at most `options.limit` patterns (0: all), unpacks bits if `options.packed` is set, and determines
/// whether they are images by the rules of pattern_set.h. The caller handles `options.tensor` and
/// `options.transpose`.
PatternSet read_array(const Source& source, const Array& array, const LoadOptions& options);

} // namespace mneme::data
