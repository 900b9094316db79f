// SPDX-License-Identifier: MIT

/// IDX files, plain or gzip: the format of MNIST.
///
/// Layout  big-endian magic number 0x0803 (images) or 0x0801 (labels), the sizes as uint32, then uint8 values
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

/// Images [count, height, width] of uint8, divided by 255. `limit` 0: all. A gzip file is read no further
/// than the last image wanted, so what follows is then not checked.
PatternSet parse_idx(std::span<const std::byte> bytes, const std::string& name, int64_t limit = 0);
PatternSet read_idx(const std::filesystem::path& path, int64_t limit = 0);

/// Labels [count] of uint8.
std::vector<int64_t> parse_idx_labels(std::span<const std::byte> bytes, const std::string& name,
                                      int64_t limit = 0);
std::vector<int64_t> read_idx_labels(const std::filesystem::path& path, int64_t limit = 0);

} // namespace mneme::data
