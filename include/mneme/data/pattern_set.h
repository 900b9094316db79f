// SPDX-License-Identifier: MIT

/// Patterns together with what a file says about them: image shape, labels, where a 1 begins.
///
/// The room's conventions: `parse_*` reads bytes in memory (`name` stands in messages), `read_*` a file. All
/// readers check every size against the bytes that are there before they allocate, and refuse what they do
/// not fully understand.
/// Errors  DataError: file, offset or field, expected and found, how to fix
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/data/image.h"

namespace mneme::data {

struct PatternSet {
  RealPatterns patterns;                       ///< images: row-major, channels last, pixels in [0, 1]
  int64_t height = 0, width = 0, channels = 0; ///< 0 where patterns are no images
  std::vector<int64_t> labels;                 ///< one per pattern; empty if there are none
  double threshold = 0; ///< above it a bit is 1: 0.5 for images, booleans and 0/1 data; 0 for other numbers
  /// A number of the file is `file_scale` times the number in `patterns`: 255 where bytes were divided by 255.
  double file_scale = 1;
  std::string source; ///< for titles: the file's own name, without its folder

  bool is_image() const { return height > 0; }
  ImageShape image_shape() const { return {height, width, channels}; }
};

} // namespace mneme::data
