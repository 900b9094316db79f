// SPDX-License-Identifier: MIT

/// Images of 8-bit samples, and the shape of patterns that are images.
#pragma once

#include <cstdint>
#include <vector>

namespace mneme::data {

/// Shape of image patterns: row-major, channels last. All 0 if the patterns are not images.
struct ImageShape {
  int64_t height = 0, width = 0, channels = 0;
  bool operator==(const ImageShape&) const = default;
};

struct Image {
  int64_t height = 0, width = 0;
  int64_t channels = 1;        ///< 1: greyscale, 3: red, green, blue
  std::vector<uint8_t> pixels; ///< [height, width, channels], 0 is black
};

} // namespace mneme::data
