// SPDX-License-Identifier: MIT

/// Reader of zip files as written by numpy.savez and torch.save: stored or deflated entries, also zip64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/source.h"

namespace mneme::data {

struct ZipMember {
  std::string name;
  uint64_t method = 0; ///< 0: stored, 8: deflated; others are not supported
  bool encrypted = false;
  int64_t begin = 0, packed = 0; ///< file offset and size of the compressed data
  uint64_t size = 0;             ///< uncompressed size according to the central directory
  uint64_t checksum = 0;         ///< CRC-32; 0: not computed
};

/// True if the first bytes are those of a zip file.
bool is_zip(std::span<const std::byte> start);

/// The entries in the order of the central directory. Checks that their bytes are within the file and do not
/// overlap; nothing is decompressed, and no checksum is verified.
///
/// Errors  DataError
std::vector<ZipMember> zip_members(const Source& source);

/// Opens the content of one entry and verifies its checksum. A stored entry is read from `source`, which must
/// outlive the result.
///
/// Errors  DataError, also if the checksum is wrong or the entry is encrypted or compressed by an unsupported
///         method
std::unique_ptr<Source> open_member(const Source& source, const ZipMember& member);

/// The first `count` bytes of an entry, or all if there are fewer. The checksum is not verified.
std::vector<std::byte> member_start(const Source& source, const ZipMember& member, int64_t count);

struct ZipEntry {
  int64_t begin = 0, end = 0; ///< byte range in the file, end exclusive
};

/// Byte ranges of all entries by name, for archives without compression. Verifies all checksums, and that the
/// entries together are no larger than the file.
///
/// Errors  DataError
std::map<std::string, ZipEntry> parse_zip(std::span<const std::byte> bytes, const std::string& name);

} // namespace mneme::data
