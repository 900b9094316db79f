// SPDX-License-Identifier: MIT

#include "mneme/core/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#include <fmt/format.h>

namespace mneme {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr uint32_t kPolynomial = 0x82F63B78; // reflected
constexpr size_t kSlices = 8;

/// tables[k][b]: checksum of byte b followed by k bytes of 0.
constexpr std::array<std::array<uint32_t, 256>, kSlices> make_tables() {
  std::array<std::array<uint32_t, 256>, kSlices> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1) != 0 ? crc >> 1 ^ kPolynomial : crc >> 1;
    }
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < kSlices; ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[k - 1][byte];
      tables[k][byte] = before >> 8 ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr auto kTables = make_tables();

} // namespace

uint32_t crc32c_by_tables(std::span<const std::byte> bytes, uint32_t crc) {
  crc = ~crc;
  while (bytes.size() >= kSlices) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), kSlices);
    word ^= crc;
    crc = 0;
    for (size_t k = 0; k < kSlices; ++k) {
      crc ^= kTables[kSlices - 1 - k][word >> (8 * k) & 0xFF];
    }
    bytes = bytes.subspan(kSlices);
  }
  for (const std::byte byte : bytes) {
    crc = crc >> 8 ^ kTables[0][(crc ^ static_cast<uint32_t>(byte)) & 0xFF];
  }
  return ~crc;
}

#if defined(__x86_64__) && defined(__GNUC__)

namespace {

__attribute__((target("sse4.2"))) uint32_t crc32c_by_instruction(std::span<const std::byte> bytes,
                                                                 uint32_t crc) {
  uint64_t state = ~crc;
  while (bytes.size() >= sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    state = __builtin_ia32_crc32di(state, word);
    bytes = bytes.subspan(sizeof(word));
  }
  auto last = static_cast<uint32_t>(state);
  for (const std::byte byte : bytes) {
    last = __builtin_ia32_crc32qi(last, static_cast<unsigned char>(byte));
  }
  return ~last;
}

} // namespace

uint32_t crc32c(std::span<const std::byte> bytes, uint32_t crc) {
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  return has_instruction ? crc32c_by_instruction(bytes, crc) : crc32c_by_tables(bytes, crc);
}

#else

uint32_t crc32c(std::span<const std::byte> bytes, uint32_t crc) {
  return crc32c_by_tables(bytes, crc);
}

#endif

uint32_t crc32c_with_size(std::span<const std::byte> bytes, uint32_t crc) {
  const uint64_t size = bytes.size();
  return crc32c(bytes, crc32c(std::as_bytes(std::span(&size, 1)), crc));
}

std::string crc32c_text(uint32_t crc) {
  return fmt::format("{:08x}", crc);
}

} // namespace mneme
