// SPDX-License-Identifier: MIT

/// Splits a table of text into rows of cells, by the rules of mneme/data/csv.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/source.h"

namespace mneme::data {

/// The cell as a number; nothing if it is not one. Spaces around it are ignored; accepts nan and infinity.
std::optional<double> number_in(std::string_view cell);

/// A cell in quotes for messages, shortened if it is long.
std::string shown_cell(const std::string& cell);

class CsvRows {
public:
  /// Both must outlive the rows.
  CsvRows(const Source& source, std::string_view text);

  /// Continues with `text`, which begins at this line. It must outlive the rows; the delimiter is kept.
  void continue_with(std::string_view text, int64_t line);

  /// Reads the next line that is not blank into `cells`. Returns false at the end of the text.
  ///
  /// Errors  DataError for a quote that is not closed, or that text follows
  bool next();
  /// Number of lines after the current row that are not blank. Skips them without reading their cells, so
  /// that a line break within quotes counts as the end of a line.
  int64_t count_rest();
  const std::vector<std::string>& cells() const { return cells_; }
  int64_t line() const { return row_line_; } ///< of the current row, from 1

  /// The cell as a finite number. `advice` follows the message for a cell that is no number.
  ///
  /// Errors  DataError
  double number(size_t column, const std::string& advice) const;

  std::string location() const;              ///< "line 3"
  std::string location(size_t column) const; ///< "line 3, column 2"
  /// Throws a DataError.
  [[noreturn]] void wrong(const std::string& where, const std::string& problem,
                          const std::string& advice) const;

private:
  bool ends_line(size_t at) const;
  bool at_delimiter() const;
  void skip_spaces();
  void end_line();
  char find_delimiter() const;
  void read_cells();
  std::string plain_cell();
  std::string quoted_cell();

  const Source& source_;
  std::string_view text_;
  size_t at_ = 0;
  int64_t line_ = 1, row_line_ = 1; ///< line number at at_, and at the beginning of the current row
  std::optional<char> delimiter_;
  std::vector<std::string> cells_;
};

} // namespace mneme::data
