// SPDX-License-Identifier: MIT

#include "cli/colour.h"

#include <cstdlib>
#include <string_view>

#include <unistd.h>

namespace mneme::cli {

bool use_colour(std::FILE* stream, bool no_color) {
  const char* no_color_variable = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return !no_color && (no_color_variable == nullptr || *no_color_variable == '\0') && terminal != nullptr &&
         std::string_view(terminal) != "dumb" && ::isatty(::fileno(stream)) != 0;
}

} // namespace mneme::cli
