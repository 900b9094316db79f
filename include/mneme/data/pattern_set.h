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

/// Arrays of every format (npy, npz, safetensors, torch, IDX) become patterns by the same rules:
///
/// Shapes  The first axis counts patterns, the others are flattened. Images are [N, H, W], [N, H, W, C] or
///         [N, C, H, W] with 1 or 3 channels C; the last form, PyTorch's, is stored channels last. Where both fit,
///         as for [N, 3, 32, 3], the last axis is the channels.
/// Units   Bytes (uint8) are pixels or samples from 0 to 255, whatever their shape: they are divided by 255 unless
///         nothing in the file exceeds 1. Arrays of another type in the shape of images are images if all numbers are
///         within [0, 1], or if all are whole numbers from 0 to 255 and one exceeds 127: the same pictures saved as
///         another type, which are divided by 255 as well. All else are plain numbers.
struct PatternSet {
  RealPatterns patterns;                       ///< images: row-major, channels last, pixels in [0, 1]
  int64_t height = 0, width = 0, channels = 0; ///< 0 where patterns are no images
  std::vector<int64_t> labels;                 ///< one per pattern; empty if there are none
  std::vector<std::string> class_names; ///< label i is class i of these; empty if labels are only numbers
  double threshold =
      0; ///< above it a bit is 1: 0.5 for images, bytes, booleans and 0/1 data; 0 for other numbers
  /// A number of the file is `file_scale` times the number in `patterns`: 255 where bytes were divided by 255. 1 if
  /// files of several scales were read together.
  double file_scale = 1;
  std::string source; ///< for titles: the file's own name, without its folder

  bool is_image() const { return height > 0; }
  ImageShape image_shape() const { return {height, width, channels}; }
};

} // namespace mneme::data
