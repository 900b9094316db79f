// SPDX-License-Identifier: MIT

/// Loads patterns from one or more files of any supported format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Bit order of packed bytes, as in numpy.packbits. `big`, its default, stores the first bit in the most
/// significant place.
enum class BitOrder { little, big };

struct LoadOptions {
  int64_t limit = 0;       ///< maximum number of patterns, 0: all. The rest is not read if the format allows
  std::string tensor = {}; ///< npz, safetensors, torch: name of the array; empty: the only one in the file
  /// If set, bytes [N, B] are unpacked to patterns of 8 B bits, as written by numpy.packbits(x, axis=1,
  /// bitorder=...).
  std::optional<BitOrder> packed = {};
  int64_t bits = 0; ///< packed only: bits per pattern, 8 B - 7 to 8 B; padding bits must be 0. 0: 8 B
  /// packed only: the patterns are in PatternSet::bits, of one bit each, instead of PatternSet::patterns.
  bool as_bits = false;
  bool transpose = false; ///< swaps rows and columns of images; needed for the files of EMNIST
};

/// Reads patterns from an IDX, CIFAR-10, npy, npz, png, csv, safetensors or torch file, each optionally
/// compressed by gzip, or from a folder. A folder contains png files, one folder of png files per class, or
/// one IDX file of images, or those of a training set (train-*) and a test set (t10k-* or test-*), of which
/// the training set is read. "-" is standard input. A path with *, ? or [...] that does not exist is expanded
/// as a glob pattern: all matching files are read in the order of their names (sorted by bytes). The format
/// is detected from the first bytes, or from the file name if these are ambiguous.
///
/// Errors  DataError, also if the format is unknown or there are no patterns; UsageError if limit < 0, or if
///         an option does not apply to the file
PatternSet load_patterns(const std::filesystem::path& path, const LoadOptions& options = {});

/// Reads several files into one set, in the order given. `limit` applies to the total number of patterns.
///
/// Shapes  all patterns must have the same size; images must have the same height, width and number of
///         channels
/// Units   images are in [0, 1] whatever range the files contain; other numbers must have the same
///         `file_scale`
/// Errors  as above; DataError with both names if two files are incompatible; UsageError if no file is given
///         or standard input is given twice
PatternSet load_patterns(std::span<const std::filesystem::path> paths, const LoadOptions& options = {});

/// Number of patterns that `load_patterns` reads from these files without a limit.
///
/// Errors  as `load_patterns`
/// Cost    that of reading one pattern of each file, where the format allows it
int64_t count_patterns(std::span<const std::filesystem::path> paths, LoadOptions options = {});

} // namespace mneme::data
