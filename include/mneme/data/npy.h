// SPDX-License-Identifier: MIT

/// Reader and writer of NumPy's .npy files, versions 1 to 3.
///
/// Source  NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays"
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Reads patterns by the rules of pattern_set.h. Accepts every header that numpy.load accepts, including
/// those of Python 2.
///
/// Types   bool, (u)int8 to (u)int64, float16, float32, float64; either byte order, C or Fortran order.
///         Integers beyond 2^53 are rounded to float64
/// Errors  DataError, also for nan or inf (with pattern and position) and for arrays of size 0
PatternSet parse_npy(std::span<const std::byte> bytes, const std::string& name, int64_t limit = 0);
PatternSet read_npy(const std::filesystem::path& path, int64_t limit = 0);

/// An array as it is in the file. The rules of pattern_set.h do not apply.
struct NumberArray {
  std::vector<int64_t> shape = {};
  std::vector<double> numbers = {}; ///< row-major; nan and inf are kept
};

/// Reads the numbers of an array of any shape, also of size 0, in any type that parse_npy accepts.
///
/// Errors  DataError
NumberArray parse_npy_numbers(std::span<const std::byte> bytes, const std::string& name);
NumberArray read_npy_numbers(const std::filesystem::path& path);

/// Reads integers [count], such as token ids; any integer type except uint64.
///
/// Errors  DataError, also for another type or number of axes
std::vector<int64_t> parse_npy_integers(std::span<const std::byte> bytes, const std::string& name);

/// Writes uint8 [count, bits] of 0 and 1.
///
/// Errors  OutputError
void write_npy(const std::filesystem::path& path, const BitPatterns& patterns);

/// Writes float64 [count, size], or [count, height, width(, channels)] if a shape is given.
///
/// Errors  OutputError; UsageError if the shape does not have `size` numbers
void write_npy(const std::filesystem::path& path, const RealPatterns& patterns, const ImageShape& shape = {});

/// Writes float64 in the shape of the array, which may have a size of 0.
///
/// Errors  OutputError; UsageError if the shape does not have as many numbers
void write_npy(const std::filesystem::path& path, const NumberArray& array);

} // namespace mneme::data
