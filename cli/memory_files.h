// SPDX-License-Identifier: MIT

/// Patterns in files as bits of a memory: input of `mneme memory write`, `read` and `forget`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/memory_lines.h"
#include "mneme/core/progress.h"
#include "mneme/data/load_patterns.h"

namespace mneme::cli {

/// The options for files of patterns.
struct PatternFiles {
  std::vector<std::string> paths;
  int64_t limit = 0; ///< of patterns; 0: none
  std::string tensor;
  std::optional<data::BitOrder> packed;
  std::optional<double> threshold; ///< on the scale of the files
};

data::LoadOptions load_options(const PatternFiles& files);

/// Memory for which files are read.
struct FileReader {
  int64_t bits;
  std::optional<store::Threshold> threshold; ///< that the memory keeps
  bool writes = false;                       ///< false: the patterns are queries, or to be forgotten
};

/// Reads patterns of as many numbers as the memory has bits. They become bits by the threshold that the
/// memory keeps, else by the rule of `mneme recall` (data::choose_threshold), unless `files` has one. Numbers
/// on another scale than those of the memory are rescaled (data::match_scale). Messages report the threshold,
/// unless the numbers are 0 and 1, and patterns that coincide.
///
/// Errors  DataError if the patterns have another size; UsageError for a given threshold if every bit would
///         be equal, or if the patterns are to be written and the memory keeps another threshold; for queries
///         whose numbers are on another scale than those of the memory, or would have equal bits only
Lines read_pattern_files(const PatternFiles& files, const FileReader& memory, Progress& progress);

} // namespace mneme::cli
