// SPDX-License-Identifier: MIT

/// Patterns in files as bits of a memory: input of `mneme memory write`, `read` and `forget`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/memory_lines.h"
#include "mneme/core/progress.h"
#include "mneme/data/packed_bits.h"

namespace mneme::cli {

/// The options for files of patterns.
struct PatternFiles {
  std::vector<std::string> paths;
  int64_t limit = 0; ///< of patterns; 0: none
  std::string tensor;
  std::optional<data::BitOrder> packed;
  std::optional<double> threshold; ///< on the scale of the files
};

/// Reads patterns of `bits` numbers, which become bits by the rule of `mneme recall`
/// (data::choose_threshold). A threshold that separates other numbers than 0 and 1 is reported, and so are
/// patterns that coincide.
///
/// Errors  DataError if the patterns have another size; UsageError if every bit would be equal with the given
///         threshold
Lines read_pattern_files(const PatternFiles& files, int64_t bits, Progress& progress);

} // namespace mneme::cli
