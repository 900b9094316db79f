// SPDX-License-Identifier: MIT

/// Entry points of the fuzzers of lines and files that only the program reads. A reader may throw only
/// DataError.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/memory_lines.h"
#include "cli/query_lines.h"
#include "cli/recall_file.h"
#include "fuzz/readers.h"
#include "learning/language_run.h"
#include "learning/run_curves.h"

namespace mneme::cli::fuzz {

using data::fuzz::try_read;

inline std::vector<std::string> lines_of(std::span<const std::byte> bytes) {
  std::istringstream text(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// Writes the patterns of lines as `mneme memory export` does, which must result in the same patterns.
inline void require_round_trip(const Lines& lines) {
  for (int64_t i = 0; i < lines.patterns.count(); ++i) {
    const store::Entry entry{.seq = 1,
                             .pattern = slice(lines.patterns, i, i + 1),
                             .annotation = lines.annotations[static_cast<size_t>(i)]};
    const std::string line = json_line(entry, lines.threshold.value_or(store::Threshold()));
    const ParsedLines again =
        parse_lines(std::span(&line, 1), {}, LineFormat::json, lines.patterns.bits(), {}, false);
    if (again.error || again.lines.patterns != entry.pattern ||
        again.lines.annotations[0] != entry.annotation) {
      throw std::logic_error("a line was not restored");
    }
  }
}

/// Lines of `mneme memory write`, `read` and `forget`, in every format, for a memory of 12 bits.
inline bool memory_lines(std::span<const std::byte> bytes) {
  const std::vector<std::string> lines = lines_of(bytes);
  bool read = false;
  for (const auto format :
       {LineFormat::text, LineFormat::bits, LineFormat::hex, LineFormat::base64, LineFormat::json}) {
    const store::Threshold threshold{.value = 0.5, .min = 0, .max = 1, .file_scale = 255};
    ParsedLines parsed = parse_lines(lines, {}, format, 12, threshold, true);
    require_round_trip(parsed.lines);
    read = read || (!parsed.error && !parsed.lines.texts.empty());
  }
  return read;
}

/// Lines of `mneme nearest --query-lines`, in both formats, for patterns of 3 numbers.
inline bool query_lines(std::span<const std::byte> bytes) {
  bool read = false;
  for (const auto format : {QueryFormat::csv, QueryFormat::json}) {
    QueryLines queries(format, 3);
    int64_t number = 0;
    for (const std::string& line : lines_of(bytes)) {
      read = try_read([&] { queries.next(line, ++number); }) || read;
    }
  }
  return read;
}

/// Files of `mneme recall --save`.
inline bool recall_file(std::span<const std::byte> bytes) {
  const data::fuzz::TemporaryFile file(bytes, "recall");
  return try_read([&] { load_recall(file.path()); });
}

/// The files of losses of `mneme train`.
inline bool run_metrics(std::span<const std::byte> bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const bool records = try_read([&] { learning::parse_records(text, "fuzz"); });
  return try_read([&] {
           const learning::RunMetrics run = learning::parse_metrics(text, "fuzz");
           learning::run_curves("fuzz", {run});
           learning::run_table({run});
         }) ||
         records;
}

} // namespace mneme::cli::fuzz
