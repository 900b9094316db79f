// SPDX-License-Identifier: MIT

/// Patterns as greyscale or colour images.
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/data/image.h"

namespace mneme::report {

/// Image with pixels in [0, 1], row-major, 0 = black; values outside are clamped when drawn. NaN pixels are
/// transparent.
struct Raster {
  int64_t height = 0, width = 0;
  int64_t channels = 1; ///< 1 = grey, 3 = red, green, blue (interleaved)
  std::vector<double> pixels = {};
};

/// Pattern `index` as a raster. A set bit is white (1), or black with `ink_on`. Patterns that are not images
/// (a shape of all 0) are drawn as rows of width ceil(sqrt(size)); the last row is padded with transparent
/// pixels.
///
/// Errors  UsageError if height * width * channels is not the pattern's size, or `index` is out of range
Raster to_raster(const BitPatterns& patterns, int64_t index, const data::ImageShape& shape = {},
                 bool ink_on = false);
/// As above for real patterns; `black` and `white` are the values mapped to 0 and 1.
Raster to_raster(const RealPatterns& patterns, int64_t index, const data::ImageShape& shape = {},
                 double black = 0, double white = 1);

/// The raster with each side divided by `factor` (rounded up): means over blocks, without transparent pixels.
Raster reduced(const Raster& raster, int64_t factor);

/// The raster converted to grey (Rec. 601 luma).
Raster grey(const Raster& raster);

/// Throws UsageError if the pixels are not height * width * channels, or channels is neither 1 nor 3.
void check_raster(const Raster& raster);

} // namespace mneme::report
