// SPDX-License-Identifier: MIT

/// Arrays of numbers in a file, whichever format describes them, as patterns.
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
  bool column_major = false;  ///< Fortran order: the first axis runs fastest
  std::vector<int64_t> shape; ///< first axis: patterns
  int64_t offset = 0;         ///< of the first number; the caller has checked that all lie within the source
};

/// At most `limit` patterns (0: all), as the numbers are.
RealPatterns read_numbers(const Source& source, const Array& array, int64_t limit);

/// Reads at most `options.limit` patterns (0: all), unpacks bits where `options.packed` is set, and determines
/// whether they are images; rules in pattern_set.h. `options.tensor` and `options.transpose` are the caller's.
PatternSet read_array(const Source& source, const Array& array, const LoadOptions& options);

} // namespace mneme::data
