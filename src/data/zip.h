// SPDX-License-Identifier: MIT

/// Zip files, as numpy.savez and torch.save write them: entries that are stored or deflated, also zip64.
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
  uint64_t method = 0; ///< 0: stored, 8: deflated; others are not read
  bool encrypted = false;
  int64_t begin = 0, packed = 0; ///< bytes of the file
  uint64_t size = 0;             ///< once unpacked, as the list of entries says
  uint64_t checksum = 0;
};

/// True if the first bytes are those of a zip file.
bool is_zip(std::span<const std::byte> start);

/// The entries in the order of the file's list. Their bytes are within the file and do not overlap; nothing is unpacked, and
/// no checksum is compared.
///
/// Errors  DataError
std::vector<ZipMember> zip_members(const Source& source);

/// The content of one entry. A stored one stays in `source`, which must outlive this.
///
/// Errors  DataError, also if the checksum does not hold, or for another compression than deflate
std::unique_ptr<Source> open_member(const Source& source, const ZipMember& member);

/// As many of the first `count` bytes of an entry as there are; its checksum is not compared.
std::vector<std::byte> member_start(const Source& source, const ZipMember& member, int64_t count);

struct ZipEntry {
  int64_t begin = 0, end = 0; ///< bytes of the file
};

/// All entries by name, each of them stored; checksums hold, and together they are no larger than the file.
///
/// Errors  DataError
std::map<std::string, ZipEntry> parse_zip(std::span<const std::byte> bytes, const std::string& name);

} // namespace mneme::data
