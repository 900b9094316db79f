// SPDX-License-Identifier: MIT

/// CRC32C (Castagnoli), the checksum of records and files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mneme::store {

/// Checksum of the bytes that `crc` is the checksum of, followed by `bytes`.
///
/// Source  RFC 3720, appendix B.4; Intel 2006, "slicing by 8"
uint32_t crc32c(std::span<const std::byte> bytes, uint32_t crc = 0);

} // namespace mneme::store
