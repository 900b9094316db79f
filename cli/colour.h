// SPDX-License-Identifier: MIT

/// Colour for people at a terminal, and only for them.
#pragma once

#include <cstdio>
#include <string>

namespace mneme::cli {

/// True if `stream` is a terminal, and neither --no-color nor the variable NO_COLOR (https://no-color.org)
/// nor a dumb terminal speaks against it.
bool wants_colour(std::FILE* stream, bool no_color);

/// Text in a colour, or as it is where `on` is false.
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
