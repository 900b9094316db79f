// SPDX-License-Identifier: MIT

/// A table of results, and its three faces: aligned text for a terminal, CSV, JSON. Same table, same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "report/number.h"

namespace mneme::report {

enum class Align { automatic, left, right }; ///< automatic: numbers right, text left

/// How a column is called and how its numbers are shown. CSV and JSON always hold full precision.
struct Column {
  std::string name = {}; ///< for people, such as "bits wrong"
  std::string unit = {}; ///< shown behind the name, such as "%"; `percent` says so itself
  std::string key = {};  ///< the name in CSV and JSON, such as "bits_wrong"; empty: `name`
  Notation notation = Notation::automatic;
  int digits = 4; ///< as `notation` counts them
  Align align = Align::automatic;
};

/// A number with its 95 % confidence interval, low <= value <= high.
struct Estimate {
  double value = 0, low = 0, high = 0;
};

using Missing = std::monostate; ///< no such number: a dash in text, nothing in CSV, null in JSON
using Cell = std::variant<Missing, std::string, int64_t, double, Estimate>;

struct Table {
  std::vector<Column> columns = {};
  std::vector<std::vector<Cell>> rows = {};
};

struct TextStyle {
  bool colour = false; ///< bold header and dim rules (ANSI); off: no escape sequence at all
  int64_t width = 0;   ///< terminal columns; 0: no limit
};

/// The table for a terminal, never wider than its content needs; every line ends with a line feed.
///
/// Where it is wider than `style.width`, columns of text are wrapped; where numbers alone are too wide, each
/// row becomes a block of `name  value` lines. Estimates read "0.934 ± 0.012", or "0.934 [0.915, 0.941]" in a
/// column where one of them is lopsided as shown. Control characters in text cells are made harmless.
///
/// Errors  UsageError if a row has another number of cells than there are columns, or two columns have one
/// key
std::string to_text(const Table& table, const TextStyle& style = {});

/// RFC 4180, lines end with CR LF, numbers read back exactly; a column with an estimate is followed by two
/// more, `key_low` and `key_high`. Errors as `to_text`.
std::string to_csv(const Table& table);

/// An array with one object per row; estimates as in CSV; null for what is missing, infinite or not a number.
/// Errors as `to_text`.
nlohmann::ordered_json to_json(const Table& table);

/// "success (%)": name and unit of a column as a heading.
std::string heading(const Column& column);

/// The cells of one column as shown to people; values and intervals are padded with `blank` so that they line
/// up.
std::vector<std::string> shown_cells(const Table& table, size_t column, const char* blank = " ");

/// True if the column is shown flush right.
bool is_right_aligned(const Table& table, size_t column);

/// Throws UsageError as said at `to_text`. For those who walk through the cells themselves.
void check_table(const Table& table);

} // namespace mneme::report
