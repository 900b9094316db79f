// SPDX-License-Identifier: MIT

/// Table of results with three output formats: aligned text for a terminal, CSV and JSON. Equal tables give
/// byte-identical output.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "report/number.h"

namespace mneme::report {

enum class Align { automatic, left, right }; ///< automatic: numbers right, text left

/// Name of a column and format of its numbers. CSV and JSON always have full precision.
struct Column {
  std::string name = {}; ///< displayed name, such as "bits wrong"
  std::string unit = {}; ///< shown after the name, such as "%"; not needed with Notation::percent
  std::string key = {};  ///< the name in CSV and JSON, such as "bits_wrong"; empty: `name`
  Notation notation = Notation::automatic;
  int digits = 4; ///< significant or decimal digits, see `Notation`
  Align align = Align::automatic;
};

/// A number with its 95 % confidence interval, low <= value <= high.
struct Estimate {
  double value = 0, low = 0, high = 0;
};

using Missing = std::monostate; ///< missing value: a dash in text, an empty field in CSV, null in JSON
using Cell = std::variant<Missing, std::string, int64_t, double, Estimate>;

struct Table {
  std::vector<Column> columns = {};
  std::vector<std::vector<Cell>> rows = {};
};

struct TextStyle {
  bool colour = false; ///< bold header and dim rules (ANSI); off: no escape sequences
  int64_t width = 0;   ///< terminal columns; 0: no limit
};

/// The table for a terminal, no wider than its content; every line ends with a line feed.
///
/// If it is wider than `style.width`, text columns are wrapped. If the numbers alone are too wide, the table
/// is split into several ones with some of the columns each, after the first columns that identify a row; a
/// table of one or two rows, or of a column that is too wide, becomes a block of `name  value` lines per row.
/// Estimates are printed as "0.934 ± 0.012", or as "0.934 [0.915, 0.941]" if any interval of the column is
/// asymmetric at the printed precision. Control characters in text cells are replaced.
///
/// Errors  UsageError if the number of cells in a row is not the number of columns, or two columns have the
///         same key
std::string to_text(const Table& table, const TextStyle& style = {});

/// Width at which paragraphs are wrapped: that of the terminal, at most 100.
int64_t paragraph_width(const TextStyle& style);

/// CSV as in RFC 4180, but lines end with LF: numbers round-trip exactly. A column with an estimate is
/// followed by `key_low` and `key_high`. Errors as `to_text`.
std::string to_csv(const Table& table);

/// JSON array with one object per row; estimates as in CSV; null for missing, infinite and NaN values. Errors
/// as `to_text`.
nlohmann::ordered_json to_json(const Table& table);

/// Heading of a column with its unit, such as "success (%)".
std::string heading(const Column& column);

/// The cells of one column as text; values and intervals are padded with `blank` to align them.
std::vector<std::string> shown_cells(const Table& table, size_t column, const char* blank = " ");

/// True if the column is right-aligned.
bool is_right_aligned(const Table& table, size_t column);

/// Throws UsageError as described at `to_text`; for code that iterates over the cells itself.
void check_table(const Table& table);

} // namespace mneme::report
