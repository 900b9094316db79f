// SPDX-License-Identifier: MIT

/// Colours and width of terminal output.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace mneme::cli {

/// True if `stream` is a terminal that supports colour (TERM is set and is not "dumb"), and colour is
/// disabled neither by --no-color (`no_color`) nor by the environment variable NO_COLOR
/// (https://no-color.org).
bool use_colour(std::FILE* stream, bool no_color);

/// Width in columns of the terminal that `stream` is: the environment variable COLUMNS if it is a number of
/// at least 20, else what the terminal reports; 0 if `stream` is no terminal, or a narrower one.
int64_t terminal_width(std::FILE* stream);

/// Adds terminal escape codes to text; returns it unchanged if `on` is false.
struct Paint {
  bool on;
  std::string bold(const std::string& text) const { return painted("1", text); }
  std::string red(const std::string& text) const { return painted("31", text); }
  std::string green(const std::string& text) const { return painted("32", text); }
  std::string painted(const char* code, const std::string& text) const {
    return on ? "\033[" + std::string(code) + "m" + text + "\033[0m" : text;
  }
};

} // namespace mneme::cli
