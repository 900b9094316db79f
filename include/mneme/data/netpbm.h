// SPDX-License-Identifier: MIT

/// Reader of netpbm images: PBM, PGM and PPM, each with binary (P4, P5, P6) or ASCII samples (P1, P2, P3).
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Reads an image as one greyscale pattern [height, width, 1] in [0, 1]. The bits of PBM are 1 for black, so
/// they become 0 and 1 as the pixels of a PNG. Comments, which begin with #, may be anywhere in the header.
///
/// Formula  luma of PPM as `parse_png`
/// Errors   DataError for another format, sizes of 0, a maximum outside 1 .. 65535, a sample above the
///          maximum, and missing or surplus samples, such as those of a second image
PatternSet parse_netpbm(std::span<const std::byte> bytes, const std::string& name);
PatternSet read_netpbm(const std::filesystem::path& path);

} // namespace mneme::data
