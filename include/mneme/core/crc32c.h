// SPDX-License-Identifier: MIT

/// CRC32C (Castagnoli), the checksum of records and files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace mneme {

/// Checksum of the bytes that `crc` is the checksum of, followed by `bytes`.
///
/// Source  RFC 3720, appendix B.4; Intel 2006, "slicing by 8"
uint32_t crc32c(std::span<const std::byte> bytes, uint32_t crc = 0);

/// The same with the size of `bytes` before them, as 64 bits, so that "ab", "c" and "a", "bc" differ.
uint32_t crc32c_with_size(std::span<const std::byte> bytes, uint32_t crc);

/// A checksum as eight hexadecimal digits.
std::string crc32c_text(uint32_t crc);

/// The same without the instruction for it that x86 CPUs have. On an EPYC it takes 0.3 us for the checksum of
/// a record of 128 bytes and its fields, as long as SQLite takes to insert half a record; the instruction
/// takes a tenth of that.
uint32_t crc32c_by_tables(std::span<const std::byte> bytes, uint32_t crc = 0);

} // namespace mneme
