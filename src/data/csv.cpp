// SPDX-License-Identifier: MIT

#include "mneme/data/csv.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "data/file_kind.h"
#include "data/readers.h"
#include "mneme/core/error.h"

namespace mneme::data {
namespace {

constexpr char kSpaces = ' '; // columns are separated by any number of spaces and tabs

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_space(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

/// Parses `text` as a number; nothing if any character is left over. Accepts nan and infinity.
std::optional<double> number_in(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') {
    text.remove_prefix(1);
  }
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  if (error == std::errc::result_out_of_range) { // underflow or overflow, which a wider type distinguishes
    long double wide = 0;
    const auto [wide_end, wide_error] = std::from_chars(text.data(), text.data() + text.size(), wide);
    return wide_error == std::errc{} ? std::optional(static_cast<double>(wide)) : std::nullopt;
  }
  return error == std::errc{} ? std::optional(number) : std::nullopt;
}

bool is_one_of(const std::string& cell, std::initializer_list<std::string_view> words) {
  const std::string lower = lower_case(cell);
  return std::find(words.begin(), words.end(), lower) != words.end();
}

bool is_label_name(const std::string& cell) {
  return is_one_of(cell, {"label", "class", "target"});
}

bool is_missing(const std::string& cell) {
  return is_one_of(cell, {"", "na", "n/a", "null", "none", "?", "-"});
}

class Table {
public:
  Table(const Source& source, std::string_view text) : source_(source), text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) {
      text_.remove_prefix(3);
    }
  }

  PatternSet read(int64_t limit) {
    bool more = next_row();
    if (more && is_header()) {
      read_header();
      more = next_row();
    } else if (more) {
      reject_column_numbers();
    }
    for (const int64_t max_rows = limited(INT64_MAX, limit); more && rows_ < max_rows; more = next_row()) {
      read_row();
    }
    if (rows_ == 0) {
      fail(source_.name(), "contains no line of numbers, at least 1 was expected",
           "Use a table with one pattern per line.");
    }
    PatternSet set;
    const bool zeros_and_ones =
        std::all_of(numbers_.begin(), numbers_.end(), [](double x) { return x == 0 || x == 1; });
    set.threshold = zeros_and_ones ? 0.5 : 0;
    const int64_t size = std::ssize(numbers_) / rows_;
    set.patterns = RealPatterns(rows_, size, std::move(numbers_));
    put_labels(set);
    set.source = source_.title();
    return set;
  }

private:
  [[noreturn]] void wrong(const std::string& where, const std::string& problem,
                          const std::string& advice) const {
    fail(source_.name(), fmt::format("{}: {}", where, problem), advice);
  }
  std::string location(size_t column) const {
    return fmt::format("line {}, column {}", row_line_, column + 1);
  }
  std::string location() const { return fmt::format("line {}", row_line_); }

  /// A cell in quotes for messages, shortened if it is long.
  static std::string shown(const std::string& cell) {
    constexpr size_t kMaxLength = 40;
    return fmt::format("{:?}{}", cell.substr(0, kMaxLength), cell.size() > kMaxLength ? " ..." : "");
  }

  /// Reads the next line that is not blank into `cells_`. Returns false at the end of the text.
  bool next_row() {
    while (at_ < text_.size()) {
      row_line_ = line_;
      cells_.clear();
      skip_spaces();
      if (at_end_of_line()) {
        end_line();
        continue;
      }
      if (!delimiter_) {
        delimiter_ = find_delimiter();
      }
      read_cells();
      return true;
    }
    return false;
  }

  /// True at the end of a line and at the beginning of a comment. A '#' within a word, as in "C#", is not a
  /// comment.
  bool ends_line(size_t at) const {
    return at == text_.size() || text_[at] == '\n' || text_[at] == '\r' ||
           (text_[at] == '#' &&
            (at == 0 || std::string_view(" \t\r\n").find(text_[at - 1]) != std::string_view::npos));
  }
  bool at_end_of_line() const { return ends_line(at_); }
  bool at_delimiter() const {
    return at_ < text_.size() && (*delimiter_ == kSpaces ? is_space(text_[at_]) : text_[at_] == *delimiter_);
  }
  void skip_spaces() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || (text_[at_] == '\t' && delimiter_ && *delimiter_ != '\t'))) {
      ++at_;
    }
  }

  /// Skips a comment and the line break: LF, CRLF or CR.
  void end_line() {
    while (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\r') {
      ++at_;
    }
    if (at_ < text_.size()) {
      at_ += text_.substr(at_).starts_with("\r\n") ? 2 : 1;
      ++line_;
    }
  }

  char find_delimiter() const {
    bool quoted = false, has_semicolon = false, has_comma = false, has_tab = false;
    for (size_t i = at_; i < text_.size() && (quoted || !ends_line(i)); ++i) {
      quoted ^= text_[i] == '"';
      has_semicolon |= !quoted && text_[i] == ';';
      has_comma |= !quoted && text_[i] == ',';
      has_tab |= !quoted && text_[i] == '\t';
    }
    return has_tab ? '\t' : has_semicolon ? ';' : has_comma ? ',' : kSpaces;
  }

  void read_cells() {
    for (;;) {
      skip_spaces();
      cells_.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted_cell() : plain_cell());
      skip_spaces();
      if (at_end_of_line()) {
        break;
      }
      if (*delimiter_ != kSpaces) {
        if (!at_delimiter()) {
          wrong(location(cells_.size() - 1), "text follows the closing quote",
                "Write quotes within a cell twice: \"\".");
        }
        ++at_;
        skip_spaces();
        if (at_end_of_line()) { // the last cell is empty
          cells_.emplace_back();
          break;
        }
      }
    }
    end_line();
  }

  std::string plain_cell() {
    const size_t begin = at_;
    while (!at_end_of_line() && !at_delimiter()) {
      ++at_;
    }
    return std::string(trimmed(text_.substr(begin, at_ - begin)));
  }

  std::string quoted_cell() {
    std::string cell;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        if (text_.substr(at_ + 1).starts_with('"')) {
          ++at_;
        } else {
          ++at_;
          return cell;
        }
      } else if (text_[at_] == '\n') {
        ++line_;
      }
      cell += text_[at_];
    }
    wrong(location(cells_.size()), "the quote that opens here is never closed", "Close it, or remove it.");
  }

  bool is_header() const {
    const auto is_number = [](const std::string& cell) { return number_in(trimmed(cell)).has_value(); };
    if (std::all_of(cells_.begin(), cells_.end(), is_number)) {
      return false;
    }
    if (cells_[0].empty() || std::any_of(cells_.begin(), cells_.end(), is_label_name)) {
      return true; // empty: an unnamed index column, for which read_header throws
    }
    // Otherwise, a line with at least one number or missing value is data, possibly with an error in it.
    return std::none_of(cells_.begin(), cells_.end(),
                        [&](const std::string& cell) { return is_number(cell) || is_missing(cell); });
  }

  void read_header() {
    columns_ = cells_.size();
    if (cells_[0].empty()) {
      wrong(location(0),
            "the first column has no name; it is probably the row numbers that pandas and R write",
            "Write the file without row numbers: to_csv(FILE, index=False), "
            "or write.csv(x, FILE, row.names = FALSE).");
    }
    for (size_t column = 0; column < cells_.size(); ++column) {
      if (is_label_name(cells_[column])) {
        if (label_column_) {
          wrong(
              location(column),
              fmt::format("{} and {} are both columns of labels", shown(label_name_), shown(cells_[column])),
              "Only one column of labels is supported: remove or rename the other.");
        }
        label_column_ = column;
        label_name_ = cells_[column];
      }
    }
    if (label_column_ && columns_ == 1) {
      wrong(location(0), "the only column contains labels", "Add columns of numbers, or rename this column.");
    }
  }

  /// Throws if the first line is 0, 1, 2, ...: as a header of column numbers, it would be read as an extra
  /// pattern.
  void reject_column_numbers() const {
    constexpr size_t kMinColumns = 4;
    for (size_t column = 0; column < cells_.size(); ++column) {
      if (cells_[column] != std::to_string(column)) {
        return;
      }
    }
    if (cells_.size() >= kMinColumns) {
      wrong(
          location(),
          fmt::format(
              "contains 0, 1, ... {}, which may be a header of column numbers from pandas or a pattern",
              cells_.size() - 1),
          "Remove a header: to_csv(FILE, header=False), or tail -n +2. Write a pattern with decimals: 0.0.");
    }
  }

  void read_row() {
    if (columns_ == 0) {
      columns_ = cells_.size();
    }
    if (cells_.size() != columns_) {
      wrong(location(), fmt::format("has {} cells, but the previous lines have {}", cells_.size(), columns_),
            "Complete the line, or remove it.");
    }
    for (size_t column = 0; column < columns_; ++column) {
      if (column == label_column_) {
        if (is_missing(cells_[column])) {
          wrong(location(column), fmt::format("a label was expected, found {}", shown(cells_[column])),
                "Fill it in, or remove this line.");
        }
        labels_.push_back(cells_[column]);
        label_lines_.push_back(row_line_);
      } else {
        numbers_.push_back(number_at(column));
      }
    }
    ++rows_;
  }

  double number_at(size_t column) const {
    const std::string& cell = cells_[column];
    const std::optional<double> number = number_in(trimmed(cell));
    if (!number) {
      if (cell.empty()) {
        wrong(location(column), "is empty, a number was expected",
              "Fill it in, or remove the line or the column.");
      }
      const size_t comma = cell.find(',');
      std::string with_point = cell;
      if (comma != std::string::npos) {
        with_point[comma] = '.';
      }
      wrong(location(column), fmt::format("{} is not a number", shown(cell)),
            comma != std::string::npos && number_in(with_point)
                ? "Write decimal points instead of commas: sed 's/,/./g' FILE > NEW."
                : "Correct it, or remove the column "
                  "(only a column named label, class or target may contain text).");
    }
    if (!std::isfinite(*number)) {
      wrong(location(column), fmt::format("a finite number was expected, found {}", shown(cell)),
            "Replace it, or remove this line.");
    }
    return *number;
  }

  void put_labels(PatternSet& set) const {
    if (!label_column_) {
      return;
    }
    const bool are_numbers = std::all_of(labels_.begin(), labels_.end(), [](const std::string& label) {
      return number_in(trimmed(label)).has_value();
    });
    if (!are_numbers) {
      std::map<std::string, int64_t> places;
      for (const std::string& label : labels_) {
        places.emplace(label, 0);
      }
      for (auto& [label, at] : places) {
        at = std::ssize(set.class_names);
        set.class_names.push_back(label);
      }
      for (const std::string& label : labels_) {
        set.labels.push_back(places.at(label));
      }
      return;
    }
    constexpr double kMaxLabel = 0x1p53;
    for (size_t i = 0; i < labels_.size(); ++i) {
      const double label = *number_in(trimmed(labels_[i]));
      if (label != std::floor(label) || std::abs(label) > kMaxLabel) {
        wrong(
            fmt::format("line {}, column {}", label_lines_[i], *label_column_ + 1),
            fmt::format("{} is not a label, an integer or a name was expected", shown(labels_[i])),
            fmt::format("Rename the column {} if its numbers are part of the patterns.", shown(label_name_)));
      }
      set.labels.push_back(static_cast<int64_t>(label));
    }
  }

  const Source& source_;
  std::string_view text_;
  size_t at_ = 0;
  int64_t line_ = 1, row_line_ = 1; ///< line number at at_, and at the beginning of the current row
  std::optional<char> delimiter_;
  std::vector<std::string> cells_;
  size_t columns_ = 0;
  std::optional<size_t> label_column_;
  std::string label_name_;
  std::vector<std::string> labels_;
  std::vector<int64_t> label_lines_;
  std::vector<double> numbers_;
  int64_t rows_ = 0;
};

} // namespace

PatternSet read_csv(const Source& source, int64_t limit) {
  limited(0, limit);
  const std::vector<std::byte> bytes = source.first_bytes(source.size());
  return Table(source, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}).read(limit);
}

PatternSet parse_csv(std::span<const std::byte> bytes, const std::string& name, int64_t limit) {
  return read_csv(MemorySource(bytes, name), limit);
}

PatternSet read_csv(const std::filesystem::path& path, int64_t limit) {
  return read_csv(*open_source(path), limit);
}

} // namespace mneme::data
