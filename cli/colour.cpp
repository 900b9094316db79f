// SPDX-License-Identifier: MIT

#include "cli/colour.h"

#include <cstdlib>
#include <string_view>

#include <unistd.h>

namespace mneme::cli {

bool wants_colour(std::FILE* stream, bool no_color) {
  const char* refused = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return !no_color && (refused == nullptr || *refused == '\0') && terminal != nullptr &&
         std::string_view(terminal) != "dumb" && ::isatty(::fileno(stream)) != 0;
}

} // namespace mneme::cli
