// SPDX-License-Identifier: MIT

/// NumPy's .npz archives, as numpy.savez and numpy.savez_compressed write them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// One array of the archive as patterns, by the rules of pattern_set.h. `array` is its name, with or without ".npy";
/// empty: the only one that holds numbers. Arrays of texts, objects and the like do not count.
///
/// Errors  DataError, also if the checksum of that array does not hold; with the names, types and shapes of all if
///         there are several
PatternSet parse_npz(std::span<const std::byte> bytes, const std::string& name, const std::string& array = "",
                     int64_t limit = 0);
PatternSet read_npz(const std::filesystem::path& path, const std::string& array = "", int64_t limit = 0);

} // namespace mneme::data
