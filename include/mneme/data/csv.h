// SPDX-License-Identifier: MIT

/// Reader of tables of numbers as text: CSV, TSV, or columns separated by spaces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Reads one pattern per line, all with the same number of cells. The delimiter is a tab if the first line
/// contains one, otherwise ';', ',' or spaces, in this order. Cells may be in double quotes. Blank lines, a
/// byte-order mark and comments (from a '#' at the beginning of a line or after a space) are skipped.
/// Patterns are plain numbers, never images.
///
/// Bits    Lines of one cell each, of the same number of characters 0 and 1, have a number 0 or 1 per
///         character, if there are at least 4 of them, or if one of the lines begins with 0.
/// Header  The first line is a header if it contains no number, or if it names a column of labels or ids.
///         A column named label, class or target (case-insensitive) becomes `labels`: integers are kept,
///         other texts become indices into `class_names`, which are sorted by bytes. A column named id, key
///         or name becomes `ids`. Without a header all columns are numbers.
/// Errors  DataError with line and column for a cell that is not a finite number, and with the line for a row
///         of another length. Also for a first line 0, 1, 2, ..., which pandas writes as a header of unnamed
///         columns
PatternSet parse_csv(std::span<const std::byte> bytes, const std::string& name, int64_t limit = 0);
PatternSet read_csv(const std::filesystem::path& path, int64_t limit = 0);

} // namespace mneme::data
