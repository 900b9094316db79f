// SPDX-License-Identifier: MIT

#include "report/terminal.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "mneme/core/error.h"
#include "report/text.h"

namespace mneme::report {
namespace {

constexpr int64_t kGap = 3, kMinWidth = 8; // terminal columns
constexpr int64_t kMaxCaptionWidth = 16;   // captions may widen narrower patterns to this width

/// Code of the nearest grey in the 256-colour palette, from black, 24 greys and white.
int grey_code(double pixel) {
  const int level = static_cast<int>(std::lround(std::clamp(pixel, 0.0, 1.0) * 25));
  return level == 0 ? 16 : level == 25 ? 231 : 231 + level;
}

/// Converts two rows of pixels to one line of characters. In colour, the foreground colour is the upper pixel
/// and the background colour the lower one.
class LineWriter {
public:
  explicit LineWriter(bool colour) : colour_(colour) {}

  void add(double upper, double lower) {
    if (!colour_) {
      const bool up = upper > 0.5, down = lower > 0.5;
      line_ += up && down ? "█" : up ? "▀" : down ? "▄" : " ";
    } else if (std::isnan(upper) && std::isnan(lower)) {
      change_to("");
      line_ += " ";
    } else if (std::isnan(upper) || std::isnan(lower)) {
      change_to("38;5;" + std::to_string(grey_code(std::isnan(upper) ? lower : upper)));
      line_ += std::isnan(upper) ? "▄" : "▀";
    } else {
      change_to("38;5;" + std::to_string(grey_code(upper)) + ";48;5;" + std::to_string(grey_code(lower)));
      line_ += "▀";
    }
  }

  std::string take() {
    change_to("");
    return std::move(line_);
  }

private:
  void change_to(const std::string& codes) {
    if (codes != codes_) {
      line_ += codes_.empty() ? "" : "\x1b[0m";
      line_ += codes.empty() ? "" : "\x1b[" + codes + "m";
      codes_ = codes;
    }
  }

  bool colour_;
  std::string line_, codes_;
};

struct Drawing {
  int64_t width = 0;
  std::vector<std::string> above, picture, below;
};

Drawing draw(const TerminalPattern& pattern, const TerminalStyle& style, int64_t columns) {
  check_raster(pattern.raster);
  const int64_t factor = std::max<int64_t>(1, (pattern.raster.width + columns - 1) / columns);
  const Raster raster = reduced(grey(pattern.raster), factor);
  Drawing drawing;
  const std::string above = one_line(pattern.above), below = one_line(pattern.below);
  const int64_t captions = std::max(display_width(above), display_width(below));
  drawing.width = std::max<int64_t>({raster.width, std::min({captions, kMaxCaptionWidth, columns}), 2});
  for (int64_t y = 0; y < raster.height; y += 2) {
    LineWriter line(style.colour);
    for (int64_t x = 0; x < raster.width; ++x) {
      const double upper = raster.pixels[static_cast<size_t>(y * raster.width + x)];
      const double lower = y + 1 < raster.height
                               ? raster.pixels[static_cast<size_t>((y + 1) * raster.width + x)]
                               : std::nan("");
      line.add(upper, lower);
    }
    drawing.picture.push_back(line.take() +
                              std::string(static_cast<size_t>(drawing.width - raster.width), ' '));
  }
  const auto caption = [&](const std::string& text) {
    std::vector<std::string> lines = text.empty() ? std::vector<std::string>{} : wrap(text, drawing.width);
    for (std::string& line : lines) {
      line += std::string(static_cast<size_t>(drawing.width - display_width(line)), ' ');
    }
    return lines;
  };
  drawing.above = caption(above);
  drawing.below = caption(below);
  return drawing;
}

/// Appends one part (captions above, pictures or captions below) of drawings that are side by side.
void append_part(std::string& text, std::span<const Drawing> drawings,
                 std::vector<std::string> Drawing::*part, int64_t indent, bool at_bottom) {
  size_t lines = 0;
  for (const Drawing& drawing : drawings) {
    lines = std::max(lines, (drawing.*part).size());
  }
  for (size_t i = 0; i < lines; ++i) {
    std::string line(static_cast<size_t>(indent), ' ');
    for (const Drawing& drawing : drawings) {
      const auto& all = drawing.*part;
      const size_t skipped = at_bottom ? lines - all.size() : 0;
      const bool has_line = i >= skipped && i - skipped < all.size();
      line += has_line ? all[i - skipped] : std::string(static_cast<size_t>(drawing.width), ' ');
      line += std::string(static_cast<size_t>(kGap), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
}

} // namespace

std::string draw_patterns(std::span<const TerminalPattern> patterns, const TerminalStyle& style) {
  const int64_t columns = style.width - style.indent;
  if (columns < kMinWidth || style.indent < 0) {
    throw UsageError("mneme::report::draw_patterns: " + std::to_string(style.width) +
                     " columns with an indent of " + std::to_string(style.indent) +
                     " leave less than the minimum of " + std::to_string(kMinWidth) +
                     ".\n  Use a larger width.");
  }
  std::vector<Drawing> drawings;
  for (const TerminalPattern& pattern : patterns) {
    drawings.push_back(draw(pattern, style, columns));
  }
  std::string text;
  for (size_t begin = 0; begin < drawings.size();) {
    size_t end = begin + 1;
    int64_t used = drawings[begin].width;
    while (end < drawings.size() && used + kGap + drawings[end].width <= columns) {
      used += kGap + drawings[end++].width;
    }
    const std::span<const Drawing> line(drawings.data() + begin, end - begin);
    text += begin > 0 ? "\n" : "";
    append_part(text, line, &Drawing::above, style.indent, true);
    append_part(text, line, &Drawing::picture, style.indent, false);
    append_part(text, line, &Drawing::below, style.indent, false);
    begin = end;
  }
  return text;
}

} // namespace mneme::report
