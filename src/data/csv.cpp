// SPDX-License-Identifier: MIT

#include "mneme/data/csv.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "data/csv_rows.h"
#include "data/file_kind.h"
#include "data/readers.h"
#include "mneme/core/error.h"

namespace mneme::data {
namespace {

bool is_one_of(const std::string& cell, std::initializer_list<std::string_view> words) {
  const std::string lower = lower_case(cell);
  return std::find(words.begin(), words.end(), lower) != words.end();
}

bool is_label_name(const std::string& cell) {
  return is_one_of(cell, {"label", "class", "target"});
}

bool is_id_name(const std::string& cell) {
  return is_one_of(cell, {"id", "key", "name"});
}

bool is_missing(const std::string& cell) {
  return is_one_of(cell, {"", "na", "n/a", "null", "none", "?", "-"});
}

/// True for a text of at least two characters 0 and 1.
bool is_bit_string(const std::string& cell) {
  return cell.size() > 1 && cell.find_first_not_of("01") == std::string::npos;
}

/// True for a bit string that is not a number: it begins with 0, or has more digits than a number of
/// type double keeps.
bool is_certain_bit_string(const std::string& cell) {
  constexpr size_t kDigits = 15;
  return is_bit_string(cell) && (cell[0] == '0' || cell.size() > kDigits);
}

class Table {
public:
  Table(const Source& source, std::string_view text) : source_(source), rows_(source, text) {}

  PatternSet read(int64_t limit) {
    bool more = rows_.next();
    if (more && is_header()) {
      read_header();
      more = rows_.next();
    } else if (more) {
      reject_column_numbers();
    }
    for (const int64_t max_rows = limited(INT64_MAX, limit); more && count_ < max_rows; more = rows_.next()) {
      read_row();
    }
    if (count_ == 0) {
      fail(source_.name(), "contains no line of numbers, at least 1 was expected",
           "Use a table with one pattern per line.");
    }
    if (!bit_strings_.empty()) {
      constexpr size_t kMinBits = 4;
      put_bit_strings(bit_strings_[0].size() >= kMinBits ||
                      std::ranges::any_of(bit_strings_, is_certain_bit_string));
    }
    PatternSet set;
    set.count_without_limit = count_ + (more ? 1 + rows_.count_rest() : 0);
    const bool zeros_and_ones =
        std::all_of(numbers_.begin(), numbers_.end(), [](double x) { return x == 0 || x == 1; });
    set.threshold = zeros_and_ones ? 0.5 : 0;
    const int64_t size = std::ssize(numbers_) / count_;
    set.patterns = RealPatterns(count_, size, std::move(numbers_));
    put_labels(set);
    set.ids = std::move(ids_);
    set.source = source_.title();
    return set;
  }

  bool has_ids() const { return id_column_.has_value(); }

  /// As CsvLines::next.
  std::optional<CsvLines::Row> read_line(std::string_view line, int64_t number, int64_t size) {
    rows_.continue_with(line, number);
    numbers_.clear();
    ids_.clear();
    labels_.clear();
    label_lines_.clear();
    may_be_bits_ = false;
    if (!rows_.next()) {
      return std::nullopt;
    }
    if (!has_begun_) {
      has_begun_ = true;
      if (is_header()) {
        read_header();
        return std::nullopt;
      }
      reject_column_numbers();
    }
    if (cells().size() == 1 && size > 1 && std::ssize(cells()[0]) == size && is_bit_string(cells()[0])) {
      bit_strings_ = cells();
      put_bit_strings(true);
    } else {
      columns_ = columns_ == 0 ? static_cast<size_t>(size) : columns_; // without a header
      read_row();
    }
    if (std::ssize(numbers_) != size) {
      rows_.wrong(rows_.location(),
                  fmt::format("has {} numbers, but {} were expected", numbers_.size(), size),
                  "Give patterns of the same size.");
    }
    return CsvLines::Row{.numbers = numbers_, .id = ids_.empty() ? "" : ids_[0]};
  }

private:
  const std::vector<std::string>& cells() const { return rows_.cells(); }

  bool is_header() const {
    const auto is_number = [](const std::string& cell) { return number_in(cell).has_value(); };
    if (std::all_of(cells().begin(), cells().end(), is_number)) {
      return false;
    }
    if (cells()[0].empty() || std::any_of(cells().begin(), cells().end(), is_label_name) ||
        std::any_of(cells().begin(), cells().end(), is_id_name)) {
      return true; // empty: an unnamed index column, for which read_header throws
    }
    // Otherwise, a line with at least one number or missing value is data, possibly with an error in it.
    return std::none_of(cells().begin(), cells().end(),
                        [&](const std::string& cell) { return is_number(cell) || is_missing(cell); });
  }

  void read_header() {
    columns_ = cells().size();
    if (cells()[0].empty()) {
      rows_.wrong(rows_.location(0),
                  "the first column has no name; it is probably the row numbers that pandas and R write",
                  "Write the file without row numbers: to_csv(FILE, index=False), "
                  "or write.csv(x, FILE, row.names = FALSE).");
    }
    label_column_ = column_named(is_label_name, "labels");
    label_name_ = label_column_ ? cells()[*label_column_] : "";
    id_column_ = column_named(is_id_name, "ids");
    if (columns_ == 1 && (label_column_ || id_column_)) {
      rows_.wrong(rows_.location(0),
                  fmt::format("the only column contains {}", label_column_ ? "labels" : "ids"),
                  "Add columns of numbers, or rename this column.");
    }
    if (columns_ == 2 && label_column_ && id_column_) {
      rows_.wrong(rows_.location(), "the columns contain labels and ids, but no numbers",
                  "Add columns of numbers, or rename a column.");
    }
  }

  /// The column of the header whose name fits; nothing if there is none. `content` names it in messages.
  std::optional<size_t> column_named(bool (*fits)(const std::string&), const char* content) const {
    std::optional<size_t> found;
    for (size_t column = 0; column < cells().size(); ++column) {
      if (!fits(cells()[column])) {
        continue;
      }
      if (found) {
        rows_.wrong(rows_.location(column),
                    fmt::format("{} and {} are both columns of {}", shown_cell(cells()[*found]),
                                shown_cell(cells()[column]), content),
                    fmt::format("Only one column of {} is supported: remove or rename the other.", content));
      }
      found = column;
    }
    return found;
  }

  /// Throws if the first line is 0, 1, 2, ...: as a header of column numbers, it would be read as an extra
  /// pattern.
  void reject_column_numbers() const {
    constexpr size_t kMinColumns = 4;
    for (size_t column = 0; column < cells().size(); ++column) {
      if (cells()[column] != std::to_string(column)) {
        return;
      }
    }
    if (cells().size() >= kMinColumns) {
      rows_.wrong(
          rows_.location(),
          fmt::format(
              "contains 0, 1, ... {}, which may be a header of column numbers from pandas or a pattern",
              cells().size() - 1),
          "Remove a header: to_csv(FILE, header=False), or tail -n +2. Write a pattern with decimals: 0.0.");
    }
  }

  void read_row() {
    if (columns_ == 0) {
      columns_ = cells().size();
    }
    if (may_be_bits_ && keep_bit_string()) {
      return;
    }
    if (cells().size() != columns_) {
      rows_.wrong(rows_.location(),
                  fmt::format("has {} cell{}, but {} {}", cells().size(), cells().size() == 1 ? "" : "s",
                              has_begun_ ? "the number of columns is" : "the previous lines have", columns_),
                  "Complete the line, or remove it.");
    }
    for (size_t column = 0; column < columns_; ++column) {
      if (column == label_column_) {
        if (is_missing(cells()[column])) {
          rows_.wrong(rows_.location(column),
                      fmt::format("a label was expected, found {}", shown_cell(cells()[column])),
                      "Fill it in, or remove this line.");
        }
        labels_.push_back(cells()[column]);
        label_lines_.push_back(rows_.line());
      } else if (column == id_column_) {
        ids_.push_back(cells()[column]);
      } else {
        numbers_.push_back(rows_.number(
            column, "Correct it, or remove the column. Only columns with the header label, class or target "
                    "(labels) and id, key or name (ids) may contain text."));
      }
    }
    ++count_;
  }

  /// Keeps a line that may be a bit string or a number, until it is known what the lines are. False for any
  /// other line, after which all lines are numbers.
  bool keep_bit_string() {
    const std::string& cell = cells()[0];
    const bool fits = cells().size() == 1 && columns_ == 1 && is_bit_string(cell) &&
                      (bit_strings_.empty() || cell.size() == bit_strings_[0].size());
    if (fits) {
      bit_strings_.push_back(cell);
      ++count_;
      return true;
    }
    if (std::ranges::any_of(bit_strings_, is_certain_bit_string)) {
      rows_.wrong(rows_.location(),
                  fmt::format("{} is not a pattern of {} characters 0 and 1, as the lines before it",
                              shown_cell(cell), bit_strings_[0].size()),
                  "Give one character per bit in all lines, or separate numbers by spaces or commas.");
    }
    put_bit_strings(false);
    may_be_bits_ = false;
    return false;
  }

  /// The lines of `keep_bit_string` as one number per bit, or as one number each.
  void put_bit_strings(bool as_bits) {
    for (const std::string& line : bit_strings_) {
      if (as_bits) {
        std::ranges::transform(line, std::back_inserter(numbers_),
                               [](char bit) { return bit == '1' ? 1.0 : 0.0; });
      } else {
        numbers_.push_back(*number_in(line));
      }
    }
    bit_strings_.clear();
  }

  void put_labels(PatternSet& set) const {
    if (!label_column_) {
      return;
    }
    const bool are_numbers = std::all_of(labels_.begin(), labels_.end(), [](const std::string& label) {
      return number_in(label).has_value();
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
      const double label = *number_in(labels_[i]);
      if (label != std::floor(label) || std::abs(label) > kMaxLabel) {
        rows_.wrong(
            fmt::format("line {}, column {}", label_lines_[i], *label_column_ + 1),
            fmt::format("{} is not a label, an integer or a name was expected", shown_cell(labels_[i])),
            fmt::format("Rename the column {} if its numbers are part of the patterns.",
                        shown_cell(label_name_)));
      }
      set.labels.push_back(static_cast<int64_t>(label));
    }
  }

  const Source& source_;
  CsvRows rows_;
  bool has_begun_ = false; ///< read_line: a line that is not blank was read
  size_t columns_ = 0;
  std::optional<size_t> label_column_, id_column_;
  std::string label_name_;
  std::vector<std::string> labels_, ids_;
  std::vector<int64_t> label_lines_;
  std::vector<double> numbers_;
  bool may_be_bits_ = true;              ///< so far, each line may be a bit string or a number
  std::vector<std::string> bit_strings_; ///< these lines
  int64_t count_ = 0;
};

} // namespace

class CsvLines::State {
public:
  State(const std::string& name, int64_t size) : source_({}, name), table_(source_, ""), size_(size) {}
  std::optional<Row> next(std::string_view line, int64_t number) {
    return table_.read_line(line, number, size_);
  }
  bool has_ids() const { return table_.has_ids(); }

private:
  MemorySource source_; ///< without bytes: for its name
  Table table_;
  int64_t size_;
};

CsvLines::CsvLines(const std::string& name, int64_t size) : state_(std::make_unique<State>(name, size)) {}
CsvLines::~CsvLines() = default;

bool CsvLines::has_ids() const {
  return state_->has_ids();
}

std::optional<CsvLines::Row> CsvLines::next(std::string_view line, int64_t number) {
  return state_->next(line, number);
}

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
