// SPDX-License-Identifier: MIT

#include "data/csv_rows.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

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

} // namespace

std::optional<double> number_in(std::string_view cell) {
  std::string_view text = trimmed(cell);
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

std::string shown_cell(const std::string& cell) {
  constexpr size_t kMaxLength = 40;
  return fmt::format("{:?}{}", cell.substr(0, kMaxLength), cell.size() > kMaxLength ? " ..." : "");
}

CsvRows::CsvRows(const Source& source, std::string_view text) : source_(source), text_(text) {
  if (text_.starts_with("\xEF\xBB\xBF")) {
    text_.remove_prefix(3);
  }
}

void CsvRows::continue_with(std::string_view text, int64_t line) {
  text_ = text;
  at_ = 0;
  line_ = row_line_ = line;
  if (line == 1 && text_.starts_with("\xEF\xBB\xBF")) {
    text_.remove_prefix(3);
  }
}

void CsvRows::wrong(const std::string& where, const std::string& problem, const std::string& advice) const {
  fail(source_.name(), fmt::format("{}: {}", where, problem), advice);
}
std::string CsvRows::location(size_t column) const {
  return fmt::format("line {}, column {}", row_line_, column + 1);
}
std::string CsvRows::location() const {
  return fmt::format("line {}", row_line_);
}

bool CsvRows::next() {
  while (at_ < text_.size()) {
    row_line_ = line_;
    cells_.clear();
    skip_spaces();
    if (ends_line(at_)) {
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

int64_t CsvRows::count_rest() {
  int64_t count = 0;
  while (at_ < text_.size()) {
    skip_spaces();
    count += ends_line(at_) ? 0 : 1;
    end_line();
  }
  return count;
}

/// True at the end of a line and at the beginning of a comment. A '#' within a word, as in "C#", is not a
/// comment.
bool CsvRows::ends_line(size_t at) const {
  return at == text_.size() || text_[at] == '\n' || text_[at] == '\r' ||
         (text_[at] == '#' &&
          (at == 0 || std::string_view(" \t\r\n").find(text_[at - 1]) != std::string_view::npos));
}
bool CsvRows::at_delimiter() const {
  return at_ < text_.size() && (*delimiter_ == kSpaces ? is_space(text_[at_]) : text_[at_] == *delimiter_);
}
void CsvRows::skip_spaces() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || (text_[at_] == '\t' && delimiter_ && *delimiter_ != '\t'))) {
    ++at_;
  }
}

/// Skips a comment and the line break: LF, CRLF or CR.
void CsvRows::end_line() {
  while (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\r') {
    ++at_;
  }
  if (at_ < text_.size()) {
    at_ += text_.substr(at_).starts_with("\r\n") ? 2 : 1;
    ++line_;
  }
}

char CsvRows::find_delimiter() const {
  bool quoted = false, has_semicolon = false, has_comma = false, has_tab = false;
  for (size_t i = at_; i < text_.size() && (quoted || !ends_line(i)); ++i) {
    quoted ^= text_[i] == '"';
    has_semicolon |= !quoted && text_[i] == ';';
    has_comma |= !quoted && text_[i] == ',';
    has_tab |= !quoted && text_[i] == '\t';
  }
  return has_tab ? '\t' : has_semicolon ? ';' : has_comma ? ',' : kSpaces;
}

void CsvRows::read_cells() {
  for (;;) {
    skip_spaces();
    cells_.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted_cell() : plain_cell());
    skip_spaces();
    if (ends_line(at_)) {
      break;
    }
    if (*delimiter_ != kSpaces) {
      if (!at_delimiter()) {
        wrong(location(cells_.size() - 1), "text follows the closing quote",
              "Write quotes within a cell twice: \"\".");
      }
      ++at_;
      skip_spaces();
      if (ends_line(at_)) { // the last cell is empty
        cells_.emplace_back();
        break;
      }
    }
  }
  end_line();
}

std::string CsvRows::plain_cell() {
  const size_t begin = at_;
  while (!ends_line(at_) && !at_delimiter()) {
    ++at_;
  }
  return std::string(trimmed(text_.substr(begin, at_ - begin)));
}

std::string CsvRows::quoted_cell() {
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

double CsvRows::number(size_t column, const std::string& advice) const {
  const std::string& cell = cells_[column];
  const std::optional<double> number = number_in(cell);
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
    // Where commas also separate cells, only those within quotes are replaced.
    const char* replace =
        delimiter_ == ',' ? R"~(sed -E 's/"([-+0-9]*),([-+0-9eE]+)"/\1.\2/g')~" : "sed 's/,/./g'";
    wrong(location(column), fmt::format("{} is not a number", shown_cell(cell)),
          comma != std::string::npos && number_in(with_point)
              ? fmt::format("Write decimal points instead of commas: {}{}.", replace,
                            source_.name() == "standard input" ? "" : " FILE > NEW")
              : advice);
  }
  if (!std::isfinite(*number)) {
    wrong(location(column), fmt::format("a finite number was expected, found {}", shown_cell(cell)),
          "Replace it, or remove this line.");
  }
  return *number;
}

} // namespace mneme::data
