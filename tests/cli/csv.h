// SPDX-License-Identifier: MIT

/// Parses the CSV files that the program writes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace mneme::testing {

using CsvRow = std::map<std::string, std::string>; ///< values by column name

inline std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  EXPECT_FALSE(quoted) << "a quote is never closed: " << line;
  return fields;
}

/// The rows below the header; the test fails unless every line has as many fields and ends with LF alone.
inline std::vector<CsvRow> parse_csv(const std::string& text) {
  EXPECT_EQ(text.find('\r'), std::string::npos) << "lines end with LF alone";
  EXPECT_TRUE(text.ends_with("\n")) << "the last line is cut off:\n" << text;
  std::vector<CsvRow> rows;
  std::vector<std::string> header;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::vector<std::string> fields = csv_fields(text.substr(begin, end - begin));
    if (header.empty()) {
      header = fields;
      continue;
    }
    EXPECT_EQ(fields.size(), header.size()) << text.substr(begin, end - begin);
    CsvRow& row = rows.emplace_back();
    for (size_t i = 0; i < std::min(fields.size(), header.size()); ++i) {
      row[header[i]] = fields[i];
    }
  }
  return rows;
}

} // namespace mneme::testing
