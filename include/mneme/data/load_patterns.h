// SPDX-License-Identifier: MIT

/// Opens any file of patterns that mneme knows, or several of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Which bit of a byte comes first, as numpy.packbits calls it: `big` is its default.
enum class BitOrder { little, big };

struct LoadOptions {
  int64_t limit = 0;       ///< the first so many patterns, without reading on where the format allows; 0: all
  std::string tensor = {}; ///< npz, safetensors, torch: which array; empty: the only one
  /// Bytes [N, B] are patterns of 8 B bits, as numpy.packbits(x, axis=1, bitorder=...) packs them.
  std::optional<BitOrder> packed = {};
  int64_t bits = 0;       ///< packed: bits per pattern, from 8 B - 7 to 8 B; the other bits must be 0. 0: 8 B
  bool transpose = false; ///< swaps rows and columns of images, as EMNIST's files need
};

/// Reads patterns from an IDX, CIFAR-10, npy, npz, png, csv, safetensors or torch file, any of them also compressed
/// by gzip, or from a folder: of png files, of one folder of png files per class, or of one IDX file of images.
/// "-" is standard input. A name with *, ? or [...] that no file has is a pattern: all files that match it are read, in the
/// order of their names (as bytes). The kind is determined by the first bytes, and by the name where these are
/// inconclusive.
///
/// Errors  DataError, also if the kind is unknown or there are no patterns; UsageError if limit < 0, or if an option
///         does not fit the file
PatternSet load_patterns(const std::filesystem::path& path, const LoadOptions& options = {});

/// The patterns of all files, in the order given. `limit` counts the patterns of all together.
///
/// Shapes  patterns of all files have one size; if they are images, one height, width and number of channels
/// Units   images are in [0, 1] whatever their files held; other numbers must have one `file_scale`
/// Errors  as above; DataError with both names if two files do not fit each other; UsageError if none is given or
///         standard input is given twice
PatternSet load_patterns(std::span<const std::filesystem::path> paths, const LoadOptions& options = {});

} // namespace mneme::data
