// SPDX-License-Identifier: MIT

#include "report/sheet.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "mneme/core/error.h"
#include "report/font.h"
#include "report/text.h"

namespace mneme::report {
namespace {

struct Colour {
  uint8_t red, green, blue;
};
constexpr Colour kPaper{255, 255, 255}, kInk{27, 30, 35}, kSoft{89, 97, 107}, kLine{216, 220, 225};
constexpr Colour kGreen{0, 135, 90}, kAmber{214, 137, 0}, kRed{200, 30, 45};

// In pixels of the sheet unless noted otherwise.
constexpr int64_t kMargin = 24, kGap = 14, kGroupGap = 24;
constexpr int64_t kFrame = 3, kFrameGap = 2; // width of a frame, and gap between it and its cell
constexpr int64_t kAround = kFrame + kFrameGap;
constexpr int64_t kTargetCellSize = 84, kMaxCellSize = 256;
constexpr int64_t kText = 2;                                          // font scale factor
constexpr int64_t kLineHeight = 11;                                   // font rows from line to line
constexpr int64_t kMaxCaptionWidth = 26, kMaxColumnCaptionWidth = 14; // characters
// A sheet whose cells are wider than this is reduced on most screens, so its text is larger.
constexpr int64_t kWide = 1000, kWideText = 3, kMaxWideCaptionWidth = 22;
constexpr int64_t kPixelsLimit = 100'000'000;

int64_t text_width(const std::string& text, int64_t scale) {
  return text.empty() ? 0 : (static_cast<int64_t>(text.size()) * kGlyphAdvance - 1) * scale;
}

class Canvas {
public:
  Canvas(int64_t height, int64_t width)
      : image_{.height = height,
               .width = width,
               .channels = 3,
               .pixels = std::vector<uint8_t>(static_cast<size_t>(height * width * 3), 255)} {}

  void rectangle(int64_t top, int64_t left, int64_t height, int64_t width, Colour colour) {
    for (int64_t y = std::max<int64_t>(top, 0); y < std::min(top + height, image_.height); ++y) {
      for (int64_t x = std::max<int64_t>(left, 0); x < std::min(left + width, image_.width); ++x) {
        uint8_t* pixel = &image_.pixels[static_cast<size_t>((y * image_.width + x) * 3)];
        pixel[0] = colour.red;
        pixel[1] = colour.green;
        pixel[2] = colour.blue;
      }
    }
  }

  /// Draws text that consists of font characters; `top` is the top of capital letters.
  void text(int64_t top, int64_t left, const std::string& text, int64_t scale, Colour colour,
            bool bold = false) {
    for (size_t i = 0; i < text.size(); ++i) {
      const int64_t start = left + static_cast<int64_t>(i) * kGlyphAdvance * scale;
      for (int64_t row = 0; row < kGlyphHeight; ++row) {
        for (int64_t column = 0; column < kGlyphWidth; ++column) {
          if (glyph_pixel(text[i], row, column)) {
            rectangle(top + row * scale, start + column * scale, scale, scale + (bold ? 1 : 0), colour);
          }
        }
      }
    }
  }

  /// Draws a frame around the outside of the rectangle.
  void frame(int64_t top, int64_t left, int64_t height, int64_t width, Frame kind) {
    if (kind == Frame::none) {
      return;
    }
    const Colour colour = kind == Frame::exact ? kGreen : kind == Frame::close ? kAmber : kRed;
    const int64_t on = kind == Frame::close ? 9 : kFrame, off = kind == Frame::close ? 5 : kFrame;
    const int64_t first = top - kAround, last = top + height + kFrameGap;
    const int64_t begin = left - kAround, end = left + width + kFrameGap;
    const auto stroke = [&](int64_t length, const auto& draw) {
      for (int64_t at = 0; at < length; at += kind == Frame::exact ? length : on + off) {
        draw(at, kind == Frame::exact ? length : std::min(on, length - at));
      }
    };
    stroke(width + 2 * kAround, [&](int64_t at, int64_t length) {
      rectangle(first, begin + at, kFrame, length, colour);
      rectangle(last, begin + at, kFrame, length, colour);
    });
    stroke(height + 2 * kAround, [&](int64_t at, int64_t length) {
      rectangle(first + at, begin, length, kFrame, colour);
      rectangle(first + at, end, length, kFrame, colour);
    });
  }

  void raster(int64_t top, int64_t left, const Raster& raster, int64_t scale) {
    rectangle(top - 1, left - 1, raster.height * scale + 2, raster.width * scale + 2, kLine);
    rectangle(top, left, raster.height * scale, raster.width * scale, kPaper);
    const auto level = [](double value) {
      return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 1.0) * 255));
    };
    for (int64_t y = 0; y < raster.height; ++y) {
      for (int64_t x = 0; x < raster.width; ++x) {
        const double* pixel = &raster.pixels[static_cast<size_t>((y * raster.width + x) * raster.channels)];
        const double* blue = pixel + (raster.channels - 1);
        const double* green = pixel + (raster.channels - 1) / 2;
        if (!std::isnan(*pixel) && !std::isnan(*green) && !std::isnan(*blue)) {
          rectangle(top + y * scale, left + x * scale, scale, scale,
                    {level(*pixel), level(*green), level(*blue)});
        }
      }
    }
  }

  data::Image take() { return std::move(image_); }

private:
  data::Image image_;
};

std::vector<std::string> caption_lines(const std::string& caption, int64_t widest) {
  const std::string text = to_font_characters(caption);
  return text.empty() ? std::vector<std::string>{} : wrap(text, widest);
}

int64_t widest_line(const std::vector<std::string>& lines, int64_t scale) {
  int64_t width = 0;
  for (const std::string& line : lines) {
    width = std::max(width, text_width(line, scale));
  }
  return width;
}

int64_t lines_height(size_t lines, int64_t scale) {
  return lines == 0 ? 0 : ((static_cast<int64_t>(lines) - 1) * kLineHeight + kGlyphHeight) * scale;
}

void check(const Sheet& sheet) {
  for (const SheetGroup& group : sheet.groups) {
    for (const SheetRow& row : group.rows) {
      if (!sheet.columns.empty() && row.cells.size() > sheet.columns.size()) {
        throw UsageError("mneme::report::draw_sheet: row \"" + one_line(row.caption) + "\" has " +
                         std::to_string(row.cells.size()) + " cells, but there are " +
                         std::to_string(sheet.columns.size()) +
                         " column captions.\n  Add a caption for each column.");
      }
      for (const SheetCell& cell : row.cells) {
        check_raster(cell.raster);
      }
    }
  }
}

/// Layout of a sheet, computed once and used both to size the canvas and to draw on it.
class Layout {
public:
  Layout(const Sheet& sheet, const FrameMeaning& meaning) : sheet_(sheet) {
    int64_t longest = 1;
    size_t columns = sheet.columns.size();
    std::array<bool, 4> has_frame{};
    for_each_row([&](const SheetRow& row) {
      columns = std::max(columns, row.cells.size());
      for (const SheetCell& cell : row.cells) {
        longest = std::max({longest, cell.raster.height, cell.raster.width});
        has_frame[static_cast<size_t>(cell.frame)] = true;
      }
    });
    reduction_ = (longest + kMaxCellSize - 1) / kMaxCellSize;
    enlargement_ = std::max<int64_t>(1, kTargetCellSize / longest);
    column_widths_.assign(columns, 0);
    for_each_row([&](const SheetRow& row) {
      for (size_t c = 0; c < row.cells.size(); ++c) {
        column_widths_[c] = std::max(column_widths_[c], shown(row.cells[c].raster.width) + 2 * kAround);
      }
    });
    for (size_t c = 0; c < columns; ++c) {
      const auto lines = c < sheet.columns.size() ? caption_lines(sheet.columns[c], kMaxColumnCaptionWidth)
                                                  : std::vector<std::string>{};
      column_widths_[c] = std::max(column_widths_[c], widest_line(lines, kText));
      column_lines_ = std::max(column_lines_, lines.size());
    }
    if (std::accumulate(column_widths_.begin(), column_widths_.end(), int64_t{0}) > kWide) {
      text_ = kWideText;
      max_caption_ = kMaxWideCaptionWidth;
    }
    for_each_row([&](const SheetRow& row) {
      captions_width_ =
          std::max(captions_width_, widest_line(caption_lines(row.caption, max_caption_), text_));
    });
    for (const auto& [kind, text] :
         {std::pair{Frame::exact, meaning.exact}, std::pair{Frame::close, meaning.close},
          std::pair{Frame::wrong, meaning.wrong}}) {
      if (has_frame[static_cast<size_t>(kind)]) {
        legend_.emplace_back(kind, to_font_characters(text));
      }
    }
  }

  /// Height and width of the sheet, from a pass over the layout without drawing.
  std::pair<int64_t, int64_t> size() {
    const int64_t bottom = walk(nullptr);
    int64_t width = first_column() - kGap;
    for (const int64_t column : column_widths_) {
      width += kGap + column;
    }
    width = std::max(
        {width, kMargin + text_width(to_font_characters(sheet_.title), title_scale()), legend_right()});
    for (const SheetGroup& group : sheet_.groups) {
      width = std::max(width, kMargin + text_width(to_font_characters(group.heading), text_) + 1);
    }
    return {bottom + kMargin, width + kMargin};
  }

  void draw(Canvas& canvas) { walk(&canvas); }

private:
  void for_each_row(const auto& body) const {
    for (const SheetGroup& group : sheet_.groups) {
      for (const SheetRow& row : group.rows) {
        body(row);
      }
    }
  }

  int64_t shown(int64_t side) const { return (side + reduction_ - 1) / reduction_ * enlargement_; }
  int64_t first_column() const { return kMargin + (captions_width_ > 0 ? captions_width_ + 2 * kGap : 0); }

  static constexpr int64_t kSwatch = 14;
  int64_t legend_step(const std::string& text) const {
    return kSwatch + 2 * kAround + kGap + text_width(text, text_) + 3 * kGap;
  }
  int64_t title_scale() const { return text_ + 1; }
  int64_t legend_right() const {
    int64_t right = kMargin;
    for (const auto& [kind, text] : legend_) {
      right += legend_step(text);
    }
    return legend_.empty() ? 0 : right - 3 * kGap;
  }

  int64_t row_height(const SheetRow& row) const {
    int64_t height = lines_height(caption_lines(row.caption, max_caption_).size(), text_);
    for (const SheetCell& cell : row.cells) {
      height = std::max(height, shown(cell.raster.height) + 2 * kAround);
    }
    return height;
  }

  /// Passes over the layout from top to bottom and draws if `canvas` is not null; returns the bottom of the
  /// last element.
  int64_t walk(Canvas* canvas) {
    int64_t y = kMargin;
    bool is_first = true;
    const auto space = [&](int64_t height) { y += std::exchange(is_first, false) ? 0 : height; };
    if (const std::string title = to_font_characters(sheet_.title); !title.empty()) {
      space(0);
      if (canvas != nullptr) {
        canvas->text(y, kMargin, title, title_scale(), kInk, true);
      }
      y += kGlyphHeight * title_scale();
    }
    if (column_lines_ > 0) {
      space(kGroupGap);
      if (canvas != nullptr) {
        draw_column_captions(*canvas, y);
      }
      y += lines_height(column_lines_, kText);
    }
    for (const SheetGroup& group : sheet_.groups) {
      if (const std::string heading = to_font_characters(group.heading); !heading.empty()) {
        space(kGroupGap);
        if (canvas != nullptr) {
          canvas->text(y, kMargin, heading, text_, kInk, true);
        }
        y += kGlyphHeight * text_;
      }
      for (const SheetRow& row : group.rows) {
        space(kGap);
        if (canvas != nullptr) {
          draw_row(*canvas, y, row);
        }
        y += row_height(row);
      }
    }
    if (!legend_.empty()) {
      space(kGroupGap);
      if (canvas != nullptr) {
        draw_legend(*canvas, y);
      }
      y += kSwatch + 2 * kAround;
    }
    return y;
  }

  void draw_column_captions(Canvas& canvas, int64_t top) const {
    int64_t left = first_column();
    for (size_t c = 0; c < column_widths_.size(); ++c) {
      const auto lines = c < sheet_.columns.size() ? caption_lines(sheet_.columns[c], kMaxColumnCaptionWidth)
                                                   : std::vector<std::string>{};
      int64_t y = top + (lines_height(column_lines_, kText) - lines_height(lines.size(), kText));
      for (const std::string& line : lines) {
        canvas.text(y, left + (column_widths_[c] - text_width(line, kText)) / 2, line, kText, kSoft);
        y += kLineHeight * kText;
      }
      left += column_widths_[c] + kGap;
    }
  }

  void draw_row(Canvas& canvas, int64_t top, const SheetRow& row) const {
    const int64_t height = row_height(row);
    const auto lines = caption_lines(row.caption, max_caption_);
    // Centred without the descenders of the last line.
    const int64_t letters = lines_height(lines.size(), text_) - (kGlyphHeight - kGlyphAscent) * text_;
    int64_t y = top + (height - letters) / 2;
    for (const std::string& line : lines) {
      canvas.text(y, kMargin, line, text_, kInk);
      y += kLineHeight * text_;
    }
    int64_t left = first_column();
    for (size_t c = 0; c < row.cells.size(); ++c) {
      const Raster raster = reduced(row.cells[c].raster, reduction_);
      if (!raster.pixels.empty()) {
        const int64_t cell_height = raster.height * enlargement_, cell_width = raster.width * enlargement_;
        const int64_t cell_top = top + (height - cell_height) / 2;
        const int64_t cell_left = left + (column_widths_[c] - cell_width) / 2;
        canvas.raster(cell_top, cell_left, raster, enlargement_);
        canvas.frame(cell_top, cell_left, cell_height, cell_width, row.cells[c].frame);
      }
      left += column_widths_[c] + kGap;
    }
  }

  void draw_legend(Canvas& canvas, int64_t top) const {
    int64_t left = kMargin;
    for (const auto& [kind, text] : legend_) {
      canvas.frame(top + kAround, left + kAround, kSwatch, kSwatch, kind);
      canvas.text(top + (kSwatch + 2 * kAround - kGlyphAscent * text_) / 2,
                  left + kSwatch + 2 * kAround + kGap, text, text_, kSoft);
      left += legend_step(text);
    }
  }

  const Sheet& sheet_;
  int64_t text_ = kText; ///< font scale factor of all text but column captions and the title
  int64_t max_caption_ = kMaxCaptionWidth;
  int64_t captions_width_ = 0, reduction_ = 1, enlargement_ = 1;
  size_t column_lines_ = 0;
  std::vector<int64_t> column_widths_;
  std::vector<std::pair<Frame, std::string>> legend_;
};

} // namespace

data::Image draw_sheet(const Sheet& sheet, const FrameMeaning& meaning) {
  check(sheet);
  Layout layout(sheet, meaning);
  const auto [height, width] = layout.size();
  if (width > kPixelsLimit / height) {
    throw UsageError("mneme::report::draw_sheet: the sheet would be " + std::to_string(width) + " x " +
                     std::to_string(height) + " pixels, but the limit is " + std::to_string(kPixelsLimit) +
                     " pixels.\n  Show fewer patterns.");
  }
  Canvas canvas(height, width);
  layout.draw(canvas);
  return canvas.take();
}

} // namespace mneme::report
