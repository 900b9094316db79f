// SPDX-License-Identifier: MIT

/// Reader of IDX files, the format of MNIST; plain or compressed by gzip.
///
/// Layout  big-endian magic number 0x0000TTAA, then AA sizes as uint32, then the values, big-endian. TT is
///         the type: 08 uint8, 09 int8, 0b int16, 0c int32, 0d float32, 0e float64. AA is the number of axes.
///         0x0803: images, 0x0801: labels
/// Source  LeCun, Cortes, Burges, "The MNIST database of handwritten digits"
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Reads patterns from 1 to 4 axes by the rules of pattern_set.h. MNIST has images [count, height, width] of
/// uint8, which are divided by 255. At most `limit` patterns are read; 0: all. A gzip file is decompressed
/// only up to the last requested pattern, so the rest of it is not checked. One axis of uint8 is an error,
/// because this is a file of labels.
PatternSet parse_idx(std::span<const std::byte> bytes, const std::string& name, int64_t limit = 0);
PatternSet read_idx(const std::filesystem::path& path, int64_t limit = 0);

/// Reads labels [count] of uint8. At most `limit` labels are read; 0: all.
std::vector<int64_t> parse_idx_labels(std::span<const std::byte> bytes, const std::string& name,
                                      int64_t limit = 0);
std::vector<int64_t> read_idx_labels(const std::filesystem::path& path, int64_t limit = 0);

} // namespace mneme::data
