// SPDX-License-Identifier: MIT

#include "cli/query_lines.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/memory_lines.h"
#include "json/strict_json.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme::cli {
namespace {

constexpr const char* kAdvice =
    "A line is an object with the query as \"vector\": [0.5, -1, ...] or as \"bits\": "
    "\"0110...\", and optionally \"id\".";

[[noreturn]] void fail(const std::string& where, const std::string& problem) {
  throw DataError(fmt::format("{}: {}.\n  {}", where, problem, kAdvice));
}

std::string id_of(const nlohmann::json& value, const std::string& where) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_number_integer()) {
    return value.dump();
  }
  fail(where, "the field \"id\" is neither a text nor an integer");
}

QueryLines::Query parse_json_query(std::string_view line, const std::string& where) {
  const auto object = parse_strict_json(line, where, {.is_line = true, .advice = kAdvice});
  QueryLines::Query query;
  int num_patterns = 0;
  for (const auto& [name, value] : object.items()) {
    if (name == "id") {
      query.id = id_of(value, where);
    } else if (name == "vector") {
      ++num_patterns;
      for (const auto& number : value) {
        if (!value.is_array() || !number.is_number()) {
          fail(where, "the field \"vector\" is not an array of numbers");
        }
        query.numbers.push_back(number.get<double>());
      }
    } else if (name == "bits") {
      ++num_patterns;
      const std::string bits = value.is_string() ? value.get<std::string>() : "?";
      if (bits.find_first_not_of("01") != std::string::npos) {
        fail(where, "the field \"bits\" is not a text of characters 0 and 1");
      }
      for (const char bit : bits) {
        query.numbers.push_back(bit == '1' ? 1 : 0);
      }
    } else {
      fail(where, fmt::format("unknown field \"{}\"", printable(name)));
    }
  }
  if (num_patterns != 1) {
    fail(where, fmt::format("{} fields have a pattern", num_patterns));
  }
  return query;
}

} // namespace

std::optional<QueryLines::Query> QueryLines::next(std::string_view line, int64_t number) {
  if (format_ == QueryFormat::csv) {
    std::optional<Query> row = table_.next(line, number);
    if (row && !is_utf8(row->id)) {
      throw DataError(fmt::format("line {}: the id \"{}\" is not valid UTF-8 text.\n  Convert standard input "
                                  "from its encoding, such as Latin-1: iconv -f LATIN1 -t UTF-8.",
                                  number, printable(row->id)));
    }
    return row;
  }
  if (is_blank(line)) {
    return std::nullopt;
  }
  const std::string where = fmt::format("line {}", number);
  Query query = parse_json_query(line, where);
  if (std::ssize(query.numbers) != size_) {
    fail(where,
         fmt::format("the query has {} numbers, but the patterns have {}", query.numbers.size(), size_));
  }
  return query;
}

} // namespace mneme::cli
