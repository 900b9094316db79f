// SPDX-License-Identifier: MIT

/// Contact sheet of a recall: one image with a grid of small images and captions.
#pragma once

#include <string>
#include <vector>

#include "mneme/data/image.h"
#include "report/raster.h"

namespace mneme::report {

/// The frame of a cell shows how well it was recalled. Frames differ in line style and colour.
enum class Frame {
  none,
  exact, ///< green, solid
  close, ///< amber, dashed
  wrong  ///< red, dotted
};

struct SheetCell {
  Raster raster = {}; ///< no pixels: an empty cell
  Frame frame = Frame::none;
};

struct SheetRow {
  std::string caption = {};
  std::vector<SheetCell> cells = {}; ///< at most one per column caption, if there are column captions
};

/// Rows under one heading, such as "noise 10 %".
struct SheetGroup {
  std::string heading = {}; ///< empty: no heading
  std::vector<SheetRow> rows = {};
};

struct Sheet {
  std::string title = {};
  std::vector<std::string> columns = {}; ///< captions; may be empty
  std::vector<SheetGroup> groups = {};
};

/// Legend labels of the frames.
struct FrameMeaning {
  std::string exact = "exact", close = "close", wrong = "wrong";
};

/// Draws the sheet in colour (3 channels). All cells are scaled by the same integer factor: enlarged so that
/// the largest has up to 84 pixels per side, or reduced if it has more than 256. A legend is added if there
/// are frames.
///
/// Errors  UsageError if a raster's pixels do not fit its size, if a row has more cells than there are column
///         captions, or if the sheet would have more than 100 million pixels
data::Image draw_sheet(const Sheet& sheet, const FrameMeaning& meaning = {});

} // namespace mneme::report
