// SPDX-License-Identifier: MIT

/// Reader of tables of numbers as text: CSV, TSV, or columns separated by spaces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

/// Reads a table line by line as it arrives, by the same rules, except that a line of `size` characters 0 and
/// 1 always has a number per character, and that no line break is within a cell.
class CsvLines {
public:
  struct Row {
    std::vector<double> numbers;
    std::string id; ///< of the column of ids; empty without one
  };

  /// `size` is the expected number of numbers of a line; other sizes are errors. `name` is that of the
  /// source, for messages.
  CsvLines(const std::string& name, int64_t size);
  CsvLines(const CsvLines&) = delete;
  CsvLines& operator=(const CsvLines&) = delete;
  ~CsvLines();

  /// The numbers of the next line; nothing for a header, a blank line or a comment. `number` is that of the
  /// line, from 1.
  ///
  /// Errors  DataError as above; the next line can still be read
  std::optional<Row> next(std::string_view line, int64_t number);
  /// True after a header that names a column of ids.
  bool has_ids() const;

private:
  class State;
  std::unique_ptr<State> state_;
};

} // namespace mneme::data
