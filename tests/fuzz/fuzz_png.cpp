// SPDX-License-Identifier: MIT

#include <cstdint>

#include <zlib.h>

#include "fuzz/readers.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mneme::data::fuzz::png({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}

/// Repairs the checksums after most mutations; with wrong ones every read would fail at the first chunk.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 0) {
    return size;
  }
  constexpr size_t kSignature = 8, kAroundData = 12; // length, type, checksum
  for (size_t at = kSignature; at + kAroundData <= size;) {
    const size_t length = size_t{data[at]} << 24 | size_t{data[at + 1]} << 16 | size_t{data[at + 2]} << 8 |
                          size_t{data[at + 3]};
    if (length > size - at - kAroundData) {
      break;
    }
    const auto checksum = static_cast<uint32_t>(crc32(0, data + at + 4, static_cast<uInt>(length + 4)));
    for (size_t i = 0; i < 4; ++i) {
      data[at + 8 + length + i] = static_cast<uint8_t>(checksum >> (24 - 8 * i));
    }
    at += kAroundData + length;
  }
  return size;
}
