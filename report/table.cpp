// SPDX-License-Identifier: MIT

#include "report/table.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "mneme/core/error.h"
#include "report/text.h"

namespace mneme::report {
namespace {

constexpr int64_t kGap = 2;       // spaces between two columns of a table
constexpr int64_t kMinWidth = 12; // minimum width of a wrapped text column, in terminal columns
constexpr const char* kDash = "–";

const std::string& key_of(const Column& column) {
  return column.key.empty() ? column.name : column.key;
}

bool has_estimate(const Table& table, size_t column) {
  return std::any_of(table.rows.begin(), table.rows.end(),
                     [&](const auto& row) { return std::holds_alternative<Estimate>(row[column]); });
}

std::vector<char> columns_with_interval(const Table& table) {
  std::vector<char> columns;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    columns.push_back(has_estimate(table, c) ? 1 : 0);
  }
  return columns;
}

/// Keys of CSV and JSON with the index of their column.
std::vector<std::pair<std::string, size_t>> keys_of(const Table& table) {
  std::vector<std::pair<std::string, size_t>> keys;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    const std::string& key = key_of(table.columns[c]);
    keys.emplace_back(key, c);
    if (has_estimate(table, c)) {
      keys.emplace_back(key + "_low", c);
      keys.emplace_back(key + "_high", c);
    }
  }
  return keys;
}

std::string spaces(int64_t count) {
  return std::string(static_cast<size_t>(std::max<int64_t>(count, 0)), ' ');
}

std::string repeat(const char* text, int64_t count) {
  std::string all;
  for (int64_t i = 0; i < count; ++i) {
    all += text;
  }
  return all;
}

std::string pad(const std::string& text, int64_t width, bool right, const char* blank = " ") {
  const std::string fill = repeat(blank, width - display_width(text));
  return right ? fill + text : text + fill;
}

void pad_all(std::vector<std::string>& texts, const char* blank) {
  int64_t width = 0;
  for (const std::string& text : texts) {
    width = std::max(width, display_width(text));
  }
  for (std::string& text : texts) {
    text = pad(text, width, true, blank);
  }
}

std::string number(const Column& column, double value) {
  return format_number(value, column.notation, column.digits);
}

/// Half-width of the interval for "±", or an empty string if it is asymmetric at the printed precision.
std::string half_width(const Column& column, const Estimate& estimate) {
  const std::string below = number(column, estimate.value - estimate.low);
  const std::string above = number(column, estimate.high - estimate.value);
  return below == above ? above : std::string();
}

/// Cells with intervals. Values and intervals are padded separately, so that both are aligned.
std::vector<std::string> shown_estimates(const Table& table, size_t c, const char* blank) {
  const Column& column = table.columns[c];
  const bool symmetric = std::all_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
    const auto* estimate = std::get_if<Estimate>(&row[c]);
    return estimate == nullptr || !half_width(column, *estimate).empty();
  });
  std::vector<std::string> values, first, second;
  for (const auto& row : table.rows) {
    const auto* estimate = std::get_if<Estimate>(&row[c]);
    const auto* real = std::get_if<double>(&row[c]);
    const auto* integer = std::get_if<int64_t>(&row[c]);
    const auto* text = std::get_if<std::string>(&row[c]);
    values.push_back(estimate  ? number(column, estimate->value)
                     : real    ? number(column, *real)
                     : integer ? std::to_string(*integer)
                     : text    ? one_line(*text)
                               : kDash);
    first.push_back(!estimate   ? ""
                    : symmetric ? half_width(column, *estimate)
                                : number(column, estimate->low));
    second.push_back(estimate && !symmetric ? number(column, estimate->high) : "");
  }
  pad_all(values, blank);
  pad_all(first, blank);
  pad_all(second, blank);
  for (size_t r = 0; r < values.size(); ++r) {
    const bool has_interval = std::holds_alternative<Estimate>(table.rows[r][c]);
    const int64_t rest = display_width(first[r]) + (symmetric ? 3 : 5 + display_width(second[r]));
    values[r] += !has_interval ? repeat(blank, rest)
                 : symmetric   ? " ± " + first[r]
                               : " [" + first[r] + ", " + second[r] + "]";
  }
  return values;
}

struct Style {
  explicit Style(bool colour)
      : bold(colour ? "\x1b[1m" : ""), dim(colour ? "\x1b[2m" : ""), reset(colour ? "\x1b[0m" : "") {}
  const char *bold, *dim, *reset;
};

/// Narrows the widest column above its floor, one terminal column at a time, until the sum is within `limit`.
/// Returns false if all columns are at their floors before that.
bool fit(std::vector<int64_t>& widths, const std::vector<int64_t>& floors, int64_t limit) {
  const int64_t gaps = kGap * (static_cast<int64_t>(widths.size()) - 1);
  while (std::accumulate(widths.begin(), widths.end(), gaps) > limit) {
    size_t widest = widths.size();
    for (size_t c = 0; c < widths.size(); ++c) {
      if (widths[c] > floors[c] && (widest == widths.size() || widths[c] > widths[widest])) {
        widest = c;
      }
    }
    if (widest == widths.size()) {
      return false;
    }
    --widths[widest];
  }
  return true;
}

int64_t longest_word(std::string_view text) {
  int64_t longest = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    longest = std::max(longest, display_width(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return longest;
}

/// One table row, of several lines if a cell is wrapped, without trailing spaces.
std::string grid_line(const std::vector<std::string>& cells, const std::vector<int64_t>& widths,
                      const std::vector<char>& right, bool at_bottom = false) {
  std::vector<std::vector<std::string>> wrapped;
  size_t lines = 1;
  for (size_t c = 0; c < cells.size(); ++c) {
    wrapped.push_back(display_width(cells[c]) > widths[c] ? wrap(cells[c], widths[c])
                                                          : std::vector<std::string>{cells[c]});
    lines = std::max(lines, wrapped.back().size());
  }
  std::string text;
  for (size_t i = 0; i < lines; ++i) {
    std::string line;
    for (size_t c = 0; c < cells.size(); ++c) {
      line.append(c > 0 ? kGap : 0, ' ');
      const size_t skipped = at_bottom ? lines - wrapped[c].size() : 0;
      const bool has_line = i >= skipped && i - skipped < wrapped[c].size();
      line += pad(has_line ? wrapped[c][i - skipped] : "", widths[c], right[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

/// Rows as blocks of `name  value` lines, for terminals narrower than the grid.
std::string stacked(const std::vector<std::string>& headings,
                    const std::vector<std::vector<std::string>>& cells, size_t rows, const Style& style,
                    int64_t limit) {
  int64_t name_width = 0;
  for (const std::string& name : headings) {
    name_width = std::max(name_width, display_width(name));
  }
  name_width = std::max<int64_t>(2, std::min(name_width, limit / 2));
  const int64_t value_width = std::max<int64_t>(2, limit - name_width - kGap);
  std::string text;
  for (size_t r = 0; r < rows; ++r) {
    text += r > 0 ? "\n" : "";
    for (size_t c = 0; c < headings.size(); ++c) {
      std::string value = cells[c][r];
      value.erase(0, std::min(value.find_first_not_of(' '), value.size()));
      const std::vector<std::string> names = wrap(headings[c], name_width), values = wrap(value, value_width);
      for (size_t i = 0; i < std::max(names.size(), values.size()); ++i) {
        const std::string name = i < names.size() ? names[i] : "";
        std::string part = i < values.size() ? values[i] : "";
        part.erase(part.find_last_not_of(' ') + 1);
        text += style.bold + (part.empty() ? name : pad(name, name_width, false)) + style.reset +
                (part.empty() ? "" : spaces(kGap) + part) + "\n";
      }
    }
  }
  return text;
}

/// Number of leading columns whose cells identify a row. An empty cell repeats the one above.
size_t num_key_columns(const std::vector<std::vector<std::string>>& cells, size_t rows) {
  std::vector<std::string> keys(rows);
  for (size_t c = 0; c < cells.size(); ++c) {
    const std::string* last = nullptr;
    for (size_t r = 0; r < rows; ++r) {
      last = cells[c][r].empty() && last != nullptr ? last : &cells[c][r];
      keys[r] += *last + '\n'; // a cell has no line feed
    }
    if (std::set(keys.begin(), keys.end()).size() == rows) {
      return c + 1;
    }
  }
  return cells.size();
}

/// Columns that are printed as one table.
struct Grid {
  std::vector<std::string> headings = {};
  std::vector<std::vector<std::string>> cells = {}; ///< [column][row]
  std::vector<int64_t> widths = {};
  std::vector<char> right = {};

  void add(const Grid& from, size_t column) {
    headings.push_back(from.headings[column]);
    cells.push_back(from.cells[column]);
    widths.push_back(from.widths[column]);
    right.push_back(from.right[column]);
  }

  int64_t width() const {
    return std::accumulate(widths.begin(), widths.end(), kGap * (std::ssize(widths) - 1));
  }

  std::string text(size_t rows, const Style& style) const {
    std::string text = style.bold + grid_line(headings, widths, right, true);
    text.insert(text.size() - 1, style.reset);
    std::string rule;
    for (size_t c = 0; c < widths.size(); ++c) {
      rule.append(c > 0 ? kGap : 0, ' ');
      rule += repeat("─", widths[c]);
    }
    text += style.dim + rule + style.reset + "\n";
    for (size_t r = 0; r < rows; ++r) {
      std::vector<std::string> row;
      for (const auto& column : cells) {
        row.push_back(column[r]);
      }
      text += grid_line(row, widths, right);
    }
    return text;
  }
};

/// The table as several ones of at most `limit` terminal columns, each with the columns that identify a row.
/// Empty if a column does not fit next to those.
std::string split(const Grid& grid, size_t rows, const Style& style, int64_t limit) {
  const size_t num_keys = num_key_columns(grid.cells, rows);
  Grid keys;
  for (size_t c = 0; c < num_keys; ++c) {
    keys.add(grid, c);
  }
  std::string text;
  Grid part = keys;
  for (size_t c = num_keys; c < grid.headings.size(); ++c) {
    if (keys.width() + kGap + grid.widths[c] > limit) {
      return "";
    }
    if (part.width() + kGap + grid.widths[c] > limit) {
      text += part.text(rows, style) + "\n";
      part = keys;
    }
    part.add(grid, c);
  }
  return text.empty() ? text : text + part.text(rows, style);
}

std::string csv_field(const std::string& text) {
  const bool plain = !text.empty() && text.find_first_of(",\"\r\n") == std::string::npos &&
                     text.front() != ' ' && text.back() != ' ';
  if (plain) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + "\"";
}

nlohmann::ordered_json json_number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

} // namespace

void check_table(const Table& table) {
  for (size_t r = 0; r < table.rows.size(); ++r) {
    if (table.rows[r].size() != table.columns.size()) {
      throw UsageError("mneme::report::Table: row " + std::to_string(r) + " has " +
                       std::to_string(table.rows[r].size()) + " cells, but there are " +
                       std::to_string(table.columns.size()) +
                       " columns.\n  Every row needs one cell per column; use Missing{} for missing values.");
    }
  }
  std::map<std::string, size_t> seen;
  for (const auto& [key, column] : keys_of(table)) {
    const auto [other, is_new] = seen.emplace(key, column);
    if (!is_new) {
      throw UsageError("mneme::report::Table: columns " + std::to_string(other->second) + " and " +
                       std::to_string(column) + " both have the key \"" + one_line(key) +
                       "\" in CSV and JSON.\n  Change the key of one of them.");
    }
  }
}

std::string heading(const Column& column) {
  const std::string unit = column.unit.empty() && column.notation == Notation::percent ? "%" : column.unit;
  return one_line(unit.empty() ? column.name : column.name + " (" + unit + ")");
}

bool is_right_aligned(const Table& table, size_t column) {
  if (table.columns[column].align != Align::automatic) {
    return table.columns[column].align == Align::right;
  }
  const auto is_text = [&](const auto& row) { return std::holds_alternative<std::string>(row[column]); };
  return !table.rows.empty() && std::none_of(table.rows.begin(), table.rows.end(), is_text);
}

std::vector<std::string> shown_cells(const Table& table, size_t column, const char* blank) {
  if (has_estimate(table, column)) {
    return shown_estimates(table, column, blank);
  }
  std::vector<std::string> cells;
  for (const auto& row : table.rows) {
    const Cell& cell = row[column];
    if (const auto* text = std::get_if<std::string>(&cell)) {
      cells.push_back(one_line(*text));
    } else if (const auto* integer = std::get_if<int64_t>(&cell)) {
      cells.push_back(std::to_string(*integer));
    } else if (const auto* real = std::get_if<double>(&cell)) {
      cells.push_back(number(table.columns[column], *real));
    } else {
      cells.emplace_back(kDash);
    }
  }
  return cells;
}

std::string to_text(const Table& table, const TextStyle& style) {
  check_table(table);
  if (table.columns.empty()) {
    return "";
  }
  const Style ansi(style.colour);
  const size_t rows = table.rows.size();
  Grid grid;
  std::vector<int64_t> floors; // minimum width of each column
  for (size_t c = 0; c < table.columns.size(); ++c) {
    grid.headings.push_back(heading(table.columns[c]));
    grid.cells.push_back(shown_cells(table, c));
    int64_t widest_cell = 0;
    for (const std::string& cell : grid.cells[c]) {
      widest_cell = std::max(widest_cell, display_width(cell));
    }
    const bool is_text = std::any_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
      return std::holds_alternative<std::string>(row[c]);
    });
    grid.widths.push_back(std::max(widest_cell, display_width(grid.headings[c])));
    floors.push_back(std::max(is_text ? std::min(widest_cell, kMinWidth) : widest_cell,
                              std::min(longest_word(grid.headings[c]), kMinWidth)));
    grid.right.push_back(is_right_aligned(table, c) ? 1 : 0);
  }
  const std::vector<int64_t> full_widths = grid.widths;
  if (style.width == 0 || fit(grid.widths, floors, style.width)) {
    return grid.text(rows, ansi);
  }
  constexpr size_t kMaxStackedRows = 2;
  if (rows > kMaxStackedRows) {
    for (const std::vector<int64_t>& widths : {full_widths, floors}) {
      grid.widths = widths;
      if (std::string parts = split(grid, rows, ansi, style.width); !parts.empty()) {
        return parts;
      }
    }
  }
  return stacked(grid.headings, grid.cells, rows, ansi, style.width);
}

int64_t paragraph_width(const TextStyle& style) {
  constexpr int64_t kMax = 100;
  return style.width > 0 ? std::min(style.width, kMax) : kMax;
}

std::string to_csv(const Table& table) {
  check_table(table);
  const std::vector<char> interval = columns_with_interval(table);
  std::string csv;
  for (const auto& [key, column] : keys_of(table)) {
    csv += csv.empty() ? "" : ",";
    csv += csv_field(encode_utf8(decode_utf8(key)));
  }
  csv += "\n";
  for (const auto& row : table.rows) {
    for (size_t c = 0; c < row.size(); ++c) {
      csv += c > 0 ? "," : "";
      const auto* estimate = std::get_if<Estimate>(&row[c]);
      if (const auto* text = std::get_if<std::string>(&row[c])) {
        csv += csv_field(encode_utf8(decode_utf8(*text)));
      } else if (const auto* integer = std::get_if<int64_t>(&row[c])) {
        csv += std::to_string(*integer);
      } else if (const auto* real = std::get_if<double>(&row[c])) {
        csv += exact_number(*real);
      } else if (estimate != nullptr) {
        csv += exact_number(estimate->value) + "," + exact_number(estimate->low) + "," +
               exact_number(estimate->high);
      }
      csv += estimate == nullptr && interval[c] ? ",," : "";
    }
    csv += "\n";
  }
  return csv;
}

nlohmann::ordered_json to_json(const Table& table) {
  check_table(table);
  const std::vector<char> interval = columns_with_interval(table);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const auto& row : table.rows) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string key = encode_utf8(decode_utf8(key_of(table.columns[c])));
      nlohmann::ordered_json low, high;
      if (const auto* text = std::get_if<std::string>(&row[c])) {
        object[key] = encode_utf8(decode_utf8(*text)); // JSON must be valid UTF-8
      } else if (const auto* integer = std::get_if<int64_t>(&row[c])) {
        object[key] = *integer;
      } else if (const auto* real = std::get_if<double>(&row[c])) {
        object[key] = json_number(*real);
      } else if (const auto* estimate = std::get_if<Estimate>(&row[c])) {
        object[key] = json_number(estimate->value);
        low = json_number(estimate->low);
        high = json_number(estimate->high);
      } else {
        object[key] = nullptr;
      }
      if (interval[c]) {
        object[key + "_low"] = low;
        object[key + "_high"] = high;
      }
    }
    rows.push_back(std::move(object));
  }
  return rows;
}

} // namespace mneme::report
