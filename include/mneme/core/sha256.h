// SPDX-License-Identifier: MIT

/// SHA-256 of byte streams (FIPS 180-4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mneme {

/// Incremental SHA-256.
class Sha256 {
public:
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text.data(), text.size()))); }
  /// Finishes the hash: 64 lower-case hexadecimal digits. `add` must not be called afterwards.
  std::string digits();

private:
  void add_block(const std::byte* block);

  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> block_{}; ///< bytes that do not fill a block yet
  uint64_t size_ = 0;                 ///< bytes added
};

} // namespace mneme
