// SPDX-License-Identifier: MIT

/// A pattern as it is looked at: rows and columns of grey or colour.
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/data/image.h"

namespace mneme::report {

/// Pixels in [0, 1], row-major, 0 = black; values outside are shown as the nearest end. A pixel that is not a
/// number is none: the paper shows through.
struct Raster {
  int64_t height = 0, width = 0;
  int64_t channels = 1; ///< 1 = grey, 3 = red, green, blue beside each other
  std::vector<double> pixels = {};
};

/// Pattern `index` as a raster. A bit that is on is white (1), or black with `ink_on`. Patterns that are no
/// images (a shape of all 0) lie in a rectangle of width ceil(sqrt(size)), the last row filled up with no
/// pixels.
///
/// Errors  UsageError if height * width * channels is not the pattern's size, or there is no such pattern
Raster to_raster(const BitPatterns& patterns, int64_t index, const data::ImageShape& shape = {},
                 bool ink_on = false);
/// The same for real patterns: `black` and `white` are the numbers shown as 0 and 1.
Raster to_raster(const RealPatterns& patterns, int64_t index, const data::ImageShape& shape = {},
                 double black = 0, double white = 1);

/// The raster with each side divided by `factor` (rounded up): means over blocks, pixels that are none left
/// out.
Raster reduced(const Raster& raster, int64_t factor);

/// The raster in grey (Rec. 601 luma of colours).
Raster grey(const Raster& raster);

/// Throws UsageError if the pixels are not height * width * channels, or channels is neither 1 nor 3.
void check_raster(const Raster& raster);

} // namespace mneme::report
