// SPDX-License-Identifier: MIT

/// IDX files, plain or gzip: the format of MNIST.
///
/// Layout  big-endian magic number 0x0000TTAA, AA sizes as uint32, then the values, big endian. TT is the type: 08
///         uint8, 09 int8, 0b int16, 0c int32, 0d float32, 0e float64. 0x0803: images, 0x0801: labels
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

/// Patterns by the rules of pattern_set.h, from 1 to 4 axes; MNIST's are images [count, height, width] of uint8,
/// divided by 255. `limit` 0: all. A gzip file is read no further than the last pattern wanted, so what follows is
/// then not checked. One axis of uint8 is refused: these are labels.
PatternSet parse_idx(std::span<const std::byte> bytes, const std::string& name, int64_t limit = 0);
PatternSet read_idx(const std::filesystem::path& path, int64_t limit = 0);

/// Labels [count] of uint8.
std::vector<int64_t> parse_idx_labels(std::span<const std::byte> bytes, const std::string& name,
                                      int64_t limit = 0);
std::vector<int64_t> read_idx_labels(const std::filesystem::path& path, int64_t limit = 0);

} // namespace mneme::data
