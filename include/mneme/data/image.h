// SPDX-License-Identifier: MIT

/// Pictures of 8-bit samples, and the shape of patterns that are pictures.
#pragma once

#include <cstdint>
#include <vector>

namespace mneme::data {

/// Row-major, channels last; all 0 where patterns are no images.
struct ImageShape {
  int64_t height = 0, width = 0, channels = 0;
  bool operator==(const ImageShape&) const = default;
};

struct Image {
  int64_t height = 0, width = 0;
  int64_t channels = 1;        ///< 1: grey, 3: red, green, blue
  std::vector<uint8_t> pixels; ///< [height, width, channels], 0 is black
};

} // namespace mneme::data
