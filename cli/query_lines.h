// SPDX-License-Identifier: MIT

/// Queries of `mneme nearest` as lines of standard input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/data/csv.h"

namespace mneme::cli {

enum class QueryFormat {
  csv, ///< a row of a table, by the rules of data::CsvLines
  json ///< an object with the pattern as "vector" (an array of numbers) or "bits" (a text), optionally "id"
};

/// Parses queries of `size` numbers, line by line.
class QueryLines {
public:
  using Query = data::CsvLines::Row;

  QueryLines(QueryFormat format, int64_t size)
      : format_(format), size_(size), table_("standard input", size) {}

  /// The query of a line; nothing for a blank line, a comment or a header. `number` is that of the line, from
  /// 1.
  ///
  /// Errors  DataError for an invalid line; the next line can still be parsed
  std::optional<Query> next(std::string_view line, int64_t number);
  /// True if queries may have ids.
  bool has_ids() const { return format_ == QueryFormat::json || table_.has_ids(); }

private:
  QueryFormat format_;
  int64_t size_;
  data::CsvLines table_;
};

} // namespace mneme::cli
