// SPDX-License-Identifier: MIT

/// Reader of CIFAR-10, binary version.
///
/// Layout  records of 3073 bytes: label 0 .. 9, then the red, green and blue planes of 32 x 32 uint8 each
/// Source  Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Images [count, 32, 32, 3] in [0, 1] and their labels. At most `limit` images are read; 0: all.
PatternSet parse_cifar(std::span<const std::byte> bytes, const std::string& name, int64_t limit = 0);
PatternSet read_cifar(const std::filesystem::path& path, int64_t limit = 0);

} // namespace mneme::data
