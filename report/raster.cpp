// SPDX-License-Identifier: MIT

#include "report/raster.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "mneme/core/error.h"

namespace mneme::report {
namespace {

constexpr double kNoPixel = std::numeric_limits<double>::quiet_NaN();

void check_index(int64_t index, int64_t count) {
  if (index < 0 || index >= count) {
    throw UsageError("mneme::report::to_raster: the index is " + std::to_string(index) + ", but there are " +
                     std::to_string(count) + " patterns.");
  }
}

/// A raster of this shape with transparent pixels only.
Raster blank(int64_t size, const data::ImageShape& shape) {
  Raster raster{.height = shape.height, .width = shape.width, .channels = shape.channels, .pixels = {}};
  if (shape.height == 0 && shape.width == 0) {
    raster.width = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(size))));
    raster.height = size == 0 ? 0 : (size + raster.width - 1) / raster.width;
    raster.channels = 1;
  } else {
    const bool fits = shape.height > 0 && shape.width > 0 && (shape.channels == 1 || shape.channels == 3) &&
                      shape.height <= size && shape.width <= size / shape.height &&
                      shape.height * shape.width * shape.channels == size;
    if (!fits) {
      throw UsageError("mneme::report::to_raster: the shape is " + std::to_string(shape.height) + " x " +
                       std::to_string(shape.width) + " x " + std::to_string(shape.channels) +
                       ", but a pattern has " + std::to_string(size) +
                       " elements.\n  Pass a shape of that many elements, or none.");
    }
  }
  raster.pixels.assign(static_cast<size_t>(raster.height * raster.width * raster.channels), kNoPixel);
  return raster;
}

} // namespace

Raster to_raster(const BitPatterns& patterns, int64_t index, const data::ImageShape& shape, bool ink_on) {
  check_index(index, patterns.count());
  Raster raster = blank(patterns.bits(), shape);
  for (int64_t b = 0; b < patterns.bits(); ++b) {
    raster.pixels[static_cast<size_t>(b)] = patterns.get(index, b) != ink_on ? 1.0 : 0.0;
  }
  return raster;
}

Raster to_raster(const RealPatterns& patterns, int64_t index, const data::ImageShape& shape, double black,
                 double white) {
  check_index(index, patterns.count());
  Raster raster = blank(patterns.size(), shape);
  for (size_t i = 0; i < static_cast<size_t>(patterns.size()); ++i) {
    raster.pixels[i] = (patterns[index][i] - black) / (white - black);
  }
  return raster;
}

Raster reduced(const Raster& raster, int64_t factor) {
  if (factor <= 1) {
    return raster;
  }
  Raster small{.height = (raster.height + factor - 1) / factor,
               .width = (raster.width + factor - 1) / factor,
               .channels = raster.channels,
               .pixels = {}};
  for (int64_t y = 0; y < small.height; ++y) {
    for (int64_t x = 0; x < small.width; ++x) {
      for (int64_t c = 0; c < raster.channels; ++c) {
        double sum = 0;
        int64_t count = 0;
        for (int64_t v = y * factor; v < std::min((y + 1) * factor, raster.height); ++v) {
          for (int64_t u = x * factor; u < std::min((x + 1) * factor, raster.width); ++u) {
            const double pixel =
                raster.pixels[static_cast<size_t>((v * raster.width + u) * raster.channels + c)];
            sum += std::isnan(pixel) ? 0 : std::clamp(pixel, 0.0, 1.0);
            count += std::isnan(pixel) ? 0 : 1;
          }
        }
        small.pixels.push_back(count == 0 ? kNoPixel : sum / static_cast<double>(count));
      }
    }
  }
  return small;
}

Raster grey(const Raster& raster) {
  if (raster.channels == 1) {
    return raster;
  }
  Raster result{.height = raster.height, .width = raster.width, .channels = 1, .pixels = {}};
  for (size_t i = 0; i + 2 < raster.pixels.size(); i += 3) {
    result.pixels.push_back(0.299 * raster.pixels[i] + 0.587 * raster.pixels[i + 1] +
                            0.114 * raster.pixels[i + 2]);
  }
  return result;
}

void check_raster(const Raster& raster) {
  const bool sane =
      raster.height >= 0 && raster.width >= 0 && (raster.channels == 1 || raster.channels == 3) &&
      (raster.height == 0 || raster.width <= std::numeric_limits<int64_t>::max() / 3 / raster.height);
  if (!sane || raster.pixels.size() != static_cast<size_t>(raster.height * raster.width * raster.channels)) {
    throw UsageError("mneme::report::Raster: " + std::to_string(raster.height) + " x " +
                     std::to_string(raster.width) + " x " + std::to_string(raster.channels) +
                     " pixels are expected, but there are " + std::to_string(raster.pixels.size()) +
                     ".\n  Pass height * width * channels pixels, with 1 or 3 channels.");
  }
}

} // namespace mneme::report
