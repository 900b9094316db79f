// SPDX-License-Identifier: MIT

/// The sheet of a recall: a grid of small pictures with captions, as one picture.
#pragma once

#include <string>
#include <vector>

#include "mneme/data/image.h"
#include "report/raster.h"

namespace mneme::report {

/// A frame says how well a cell was recalled. Each has its own line as well as its own colour.
enum class Frame {
  none,
  exact, ///< green, solid
  close, ///< amber, dashed
  wrong  ///< red, dotted
};

struct SheetCell {
  Raster raster = {}; ///< without pixels: the place stays empty
  Frame frame = Frame::none;
};

struct SheetRow {
  std::string caption = {};
  std::vector<SheetCell> cells = {}; ///< at most one per column caption, where there are any
};

/// Rows that belong together under a heading, such as "noise 10 %".
struct SheetGroup {
  std::string heading = {}; ///< empty: no heading
  std::vector<SheetRow> rows = {};
};

struct Sheet {
  std::string title = {};
  std::vector<std::string> columns = {}; ///< captions; may be empty
  std::vector<SheetGroup> groups = {};
};

/// What the frames mean on a sheet, for its legend line.
struct FrameMeaning {
  std::string exact = "exact", close = "close", wrong = "wrong";
};

/// Draws the sheet in colour (3 channels). All cells are enlarged by one whole factor, so that the largest is
/// about as big as a thumb; larger ones are reduced by whole factors. A legend line is added where frames
/// occur.
///
/// Errors  UsageError if a raster's pixels do not fit its size, if a row has more cells than there are column
///         captions, or if the sheet would have more than 100 million pixels
data::Image draw_sheet(const Sheet& sheet, const FrameMeaning& meaning = {});

} // namespace mneme::report
