// SPDX-License-Identifier: MIT

/// Tables of numbers as text: CSV, TSV, columns separated by spaces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// One pattern per line, all with the same number of cells. The delimiter is a tab if the first line has one, else
/// ';', else ',', else spaces. Cells may be in double quotes. Blank lines, a byte-order mark and comments (from a '#'
/// at the beginning of a line or after a space) are skipped. Patterns are plain numbers, never images.
///
/// Header  The first line, if it holds no number, or if it names a column of labels. A column named label, class or
///         target (in any case) becomes `labels`: whole numbers as they are, other texts as places in `class_names`,
///         which are sorted as bytes. Without a header all columns are numbers.
/// Errors  DataError with line and column for a cell that is no finite number, with the line for a row of another
///         length; also for a first line that counts 0, 1, 2, ... as pandas names columns without names
PatternSet parse_csv(std::span<const std::byte> bytes, const std::string& name, int64_t limit = 0);
PatternSet read_csv(const std::filesystem::path& path, int64_t limit = 0);

} // namespace mneme::data
