// SPDX-License-Identifier: MIT

/// Opens any file of patterns that mneme knows.
#pragma once

#include <filesystem>
#include <string>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

struct LoadOptions {
  int64_t limit = 0;  ///< the first so many patterns, without reading on where the format allows; 0: all
  std::string tensor; ///< safetensors: which tensor; empty: the only one
};

/// Reads patterns from an IDX (also gzip), CIFAR-10, npy, png or safetensors file, or from a folder of png
/// files. The kind is told by the first bytes, and by the name where these say nothing.
///
/// Errors  DataError, also if the kind is unknown or there are no patterns; UsageError if limit < 0, or a
/// tensor is named but the file is of another kind
PatternSet load_patterns(const std::filesystem::path& path, const LoadOptions& options = {});

} // namespace mneme::data
