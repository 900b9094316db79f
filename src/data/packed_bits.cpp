// SPDX-License-Identifier: MIT

#include "mneme/data/packed_bits.h"

#include <array>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "data/source.h"

namespace mneme::data {
namespace {

static_assert(std::endian::native == std::endian::little, "the bytes of a word are in the order of its bits");

std::byte reversed(std::byte byte) {
  constexpr std::array<unsigned, 3> kMasks{0x55, 0x33, 0x0F};
  auto bits = static_cast<unsigned>(byte);
  for (unsigned i = 0; i < kMasks.size(); ++i) {
    bits = (bits >> (1U << i) & kMasks[i]) | (bits & kMasks[i]) << (1U << i);
  }
  return static_cast<std::byte>(bits);
}

void reverse_bytes(std::span<std::byte> bytes) {
  for (std::byte& byte : bytes) {
    byte = reversed(byte);
  }
}

} // namespace

std::vector<std::byte> pack_bits(const BitPatterns& patterns, BitOrder order) {
  const auto size = static_cast<size_t>((patterns.bits() + 7) / 8);
  std::vector<std::byte> bytes(static_cast<size_t>(patterns.count()) * size);
  for (int64_t i = 0; size > 0 && i < patterns.count(); ++i) {
    std::memcpy(bytes.data() + static_cast<size_t>(i) * size, patterns[i].data(), size);
  }
  if (order == BitOrder::big) {
    reverse_bytes(bytes);
  }
  return bytes;
}

BitPatterns unpack_bits(std::span<const std::byte> bytes, int64_t count, int64_t bits, BitOrder order,
                        const std::string& name) {
  const int64_t size = bits / 8 + (bits % 8 > 0 ? 1 : 0);
  if (count < 0 || bits < 0 || (size == 0 ? !bytes.empty() : std::ssize(bytes) / size != count) ||
      (size > 0 && std::ssize(bytes) % size != 0)) {
    fail(name, fmt::format("{} patterns of {} bits do not have {} bytes", count, bits, bytes.size()),
         "Give ceil(bits / 8) bytes per pattern.");
  }
  BitPatterns patterns(count, bits);
  for (int64_t i = 0; size > 0 && i < count; ++i) {
    const std::span<std::byte> words = std::as_writable_bytes(patterns[i]);
    std::memcpy(words.data(), bytes.data() + i * size, static_cast<size_t>(size));
    if (order == BitOrder::big) {
      reverse_bytes(words.first(static_cast<size_t>(size)));
    }
    if ((patterns[i].back() & ~patterns.last_word_mask()) != 0) {
      fail(name, fmt::format("pattern {}: bits after the first {} are not 0", i, bits),
           "Check the number of bits and the bit order.");
    }
  }
  return patterns;
}

BitPatterns load_packed_bits(const std::filesystem::path& path, LoadOptions options) {
  options.packed = options.packed.value_or(BitOrder::big);
  options.as_bits = true;
  return load_patterns(path, options).bits;
}

} // namespace mneme::data
