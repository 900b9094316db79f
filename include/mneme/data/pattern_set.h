// SPDX-License-Identifier: MIT

/// Patterns and their metadata from a file: image shape, labels, binarisation threshold.
///
/// Conventions of this module: `parse_*` functions read bytes in memory (`name` is used in messages),
/// `read_*` functions read files. All readers check every size against the available bytes before they
/// allocate, and throw on anything they do not fully support.
///
/// Errors  DataError with the file, the offset or field, the expected and the actual value, and how to fix it
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/data/image.h"

namespace mneme::data {

/// A set of patterns. Arrays of every format (npy, npz, safetensors, torch, IDX) are converted by the same
/// rules:
///
/// Shapes  The first axis counts patterns, the others are flattened. Images are [N, H, W], [N, H, W, C] or
///         [N, C, H, W] with C = 1 or 3 channels; the last form, PyTorch's, is converted to channels last. If
///         both forms match, as for [N, 3, 32, 3], the last axis is the channels.
/// Units   Bytes (uint8) of any shape are pixels or samples from 0 to 255: they are divided by 255 unless no
///         byte in the file exceeds 1. Image-shaped arrays of another type are images if all numbers are in
///         [0, 1], or if all are integers from 0 to 255 and at least one exceeds 127; the latter are 8-bit
///         pixels saved as another type, and are also divided by 255. All other arrays are plain numbers.
struct PatternSet {
  RealPatterns patterns;                       ///< images: row-major, channels last, pixels in [0, 1]
  BitPatterns bits;                            ///< instead of `patterns`, with LoadOptions::as_bits
  int64_t height = 0, width = 0, channels = 0; ///< 0 if the patterns are not images
  std::vector<int64_t> labels;                 ///< one per pattern; empty if the file has none
  std::vector<std::string> class_names;        ///< name of label i; empty if labels are plain numbers
  std::vector<std::string> ids;                ///< one per pattern; empty if the file has none
  /// Binarisation threshold: a number above it becomes a 1. 0.5 for images, bytes, booleans and 0/1 data, 0
  /// for other numbers.
  double threshold = 0;
  /// Factor from `patterns` to the numbers in the file: 255 if bytes were divided by 255. 1 if files of
  /// different scales were read together.
  double file_scale = 1;
  std::string source; ///< file name without its folder, for titles
  /// Number of patterns of the files, including those that LoadOptions::limit leaves out. 0: unknown, because
  /// the limit was reached before the last file.
  int64_t count_without_limit = 0;

  bool is_image() const { return height > 0; }
  /// Name of the class of a pattern, or its label as a number. There are labels.
  std::string class_of(int64_t pattern) const {
    const int64_t label = labels[static_cast<size_t>(pattern)];
    const bool is_named = label >= 0 && label < static_cast<int64_t>(class_names.size());
    return is_named ? class_names[static_cast<size_t>(label)] : std::to_string(label);
  }
  ImageShape image_shape() const { return {height, width, channels}; }
};

} // namespace mneme::data
