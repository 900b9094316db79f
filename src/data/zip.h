// SPDX-License-Identifier: MIT

/// Zip files whose entries are stored, not compressed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace mneme::data {

struct ZipEntry {
  int64_t begin = 0, end = 0; ///< bytes of the file
};

/// All entries by name; checksums hold, and together they are no larger than the file.
///
/// Errors  DataError
std::map<std::string, ZipEntry> parse_zip(std::span<const std::byte> bytes, const std::string& name);

} // namespace mneme::data
