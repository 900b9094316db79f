// SPDX-License-Identifier: MIT

/// Reader of NumPy's .npz archives, as written by numpy.savez and numpy.savez_compressed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Reads one array of the archive as patterns, by the rules of pattern_set.h. `array` is its name, with or
/// without ".npy". If it is empty, the only numeric array is read; arrays of strings or objects are ignored.
///
/// Errors  DataError, also if the checksum of the array is wrong. If `array` is empty and there are several
///         numeric arrays, the message lists the name, type and shape of each
PatternSet parse_npz(std::span<const std::byte> bytes, const std::string& name, const std::string& array = "",
                     int64_t limit = 0);
PatternSet read_npz(const std::filesystem::path& path, const std::string& array = "", int64_t limit = 0);

} // namespace mneme::data
