// SPDX-License-Identifier: MIT

/// Reader and writer of PNG images.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "mneme/data/image.h"
#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Reads an image as one greyscale pattern [height, width, 1] in [0, 1]. Supports all PNG types of up to 16
/// bits per sample, with or without palette, alpha or interlacing. Bytes after the last pixel or after the
/// image are ignored.
///
/// Formula  luma = 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), alpha-blended over white
PatternSet parse_png(std::span<const std::byte> bytes, const std::string& name);
PatternSet read_png(const std::filesystem::path& path);

/// Reads the .png files of a folder in the order of their names (sorted by bytes). Hidden files and other
/// files are ignored. At most `limit` images are read; 0: all.
///
/// Errors  DataError, also if there are no .png files or if their sizes differ
PatternSet read_png_folder(const std::filesystem::path& folder, int64_t limit = 0);

/// Encodes an image as a PNG file, 8-bit greyscale or RGB. The output is deterministic.
///
/// Errors  UsageError if the sizes do not match the number of pixels; OutputError if memory runs out
std::vector<std::byte> to_png(const Image& image);

/// Encodes an image with `to_png` and writes it to a file.
///
/// Errors  as `to_png`; OutputError if the file cannot be written
void write_png(const std::filesystem::path& path, const Image& image);

} // namespace mneme::data
