// SPDX-License-Identifier: MIT

/// Patterns as lines of text: input of `mneme memory write`, `read` and `forget`, and output of `export`.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/store/durable_memory.h"

namespace mneme::cli {

enum class LineFormat {
  text,   ///< any text, encoded by data::text_bits
  bits,   ///< characters 0 and 1
  hex,    ///< bytes of the pattern, two digits each; bit b is bit (b mod 8) of byte (b / 8)
  base64, ///< the same bytes
  json    ///< an object with one of these four as "text", "bits", "hex" or "base64", or an array as "vector"
};

/// Lines, and what they are about.
struct Lines {
  std::vector<int64_t> numbers;   ///< of the lines, from 1; empty: 1, 2, ...
  std::vector<std::string> texts; ///< as they were given
  BitPatterns patterns;           ///< one per line
  /// format text: the line is the payload. format json: the fields key, label, payload (text) or
  /// payload_base64; with the field text, it is the default of the payload.
  std::vector<store::Annotation> annotations;
  std::optional<store::Threshold> threshold = {}; ///< of numbers in files; format json: the field threshold
  int64_t count_without_limit = 0;                ///< of patterns in files: PatternSet::count_without_limit
  /// Keys of lines {"forget": KEY} of format json. Such lines have no patterns, and are separate from others.
  std::vector<std::string> forget = {};

  int64_t number(int64_t line) const {
    return numbers.empty() ? line + 1 : numbers[static_cast<size_t>(line)];
  }
};

/// The valid lines of one kind at the beginning of a text, and the error of the line after them.
struct ParsedLines {
  Lines lines;
  std::exception_ptr error; ///< DataError, with the number of the line; null: it is valid, or there is none
};

/// Parses lines up to the first one that is invalid, empty or of another kind; `numbers` are those of the
/// lines. Without `may_forget`, lines {"forget": KEY} are invalid. `threshold` is that of the memory, with
/// which the field vector of format json becomes bits.
ParsedLines parse_lines(std::span<const std::string> lines, std::span<const int64_t> numbers,
                        LineFormat format, int64_t bits, const std::optional<store::Threshold>& threshold,
                        bool may_forget);
/// True for a line that is empty or has only spaces.
bool is_blank(std::string_view line);

/// A stored pattern as a line of format json, without a line feed.
std::string json_line(const store::Entry& entry);
/// The same with the field "threshold", an object, which parse_lines reads to Lines::threshold.
std::string json_line(const store::Entry& entry, const store::Threshold& threshold);

/// Bytes of a pattern as lower-case hexadecimal digits.
std::string hex_of(const BitPatterns& patterns, int64_t index);
/// Fields for key, label and payload in JSON: payload if it is UTF-8 text, else payload_base64.
template <class Json> void add_annotation(Json& object, const store::Annotation& annotation);

std::string to_base64(std::string_view bytes);
bool is_utf8(std::string_view text);

} // namespace mneme::cli
