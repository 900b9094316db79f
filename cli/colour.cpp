// SPDX-License-Identifier: MIT

#include "cli/colour.h"

#include <charconv>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include <sys/ioctl.h>
#include <unistd.h>

namespace mneme::cli {

bool use_colour(std::FILE* stream, bool no_color) {
  const char* no_color_variable = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return !no_color && (no_color_variable == nullptr || *no_color_variable == '\0') && terminal != nullptr &&
         std::string_view(terminal) != "dumb" && ::isatty(::fileno(stream)) != 0;
}

int64_t terminal_width(std::FILE* stream) {
  constexpr int64_t kMin = 20, kMax = 10'000;
  if (const char* columns = std::getenv("COLUMNS")) {
    const std::string_view text(columns);
    int64_t width = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), width);
    if (error == std::errc() && end == text.data() + text.size() && width >= kMin && width <= kMax) {
      return width;
    }
  }
  winsize size{};
  const bool known = ::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col >= kMin;
  return known ? size.ws_col : 0;
}

} // namespace mneme::cli
