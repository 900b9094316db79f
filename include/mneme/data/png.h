// SPDX-License-Identifier: MIT

/// PNG pictures as patterns, and pictures as PNG files.
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

/// One picture as one grey pattern [height, width, 1] in [0, 1]. Any PNG of up to 16 bits per sample, with or
/// without palette, alpha or interlacing. Bytes after the last pixel or after the picture are ignored.
///
/// Formula  luminance = 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), laid over white where
/// transparent
PatternSet parse_png(std::span<const std::byte> bytes, const std::string& name);
PatternSet read_png(const std::filesystem::path& path);

/// All .png files of a folder in the order of their names (as bytes); hidden ones and other files are left
/// out. `limit` 0: all.
///
/// Errors  DataError, also if there is none or if their sizes differ
PatternSet read_png_folder(const std::filesystem::path& folder, int64_t limit = 0);

/// The bytes of a PNG file, 8-bit grey or RGB; the same pixels give the same bytes.
///
/// Errors  UsageError if sizes and pixels do not fit each other; OutputError if there is no memory for it
std::vector<std::byte> to_png(const Image& image);

/// Writes them. Errors as `to_png`, and OutputError if the file cannot be written
void write_png(const std::filesystem::path& path, const Image& image);

} // namespace mneme::data
