// SPDX-License-Identifier: MIT

#include "mneme/core/sha256.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace mneme {
namespace {

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
constexpr std::array<uint32_t, 64> kRoundConstants{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

} // namespace

void Sha256::add_block(const std::byte* block) {
  std::array<uint32_t, 64> w; // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  for (size_t i = 0; i < 16; ++i) {
    w[i] = std::to_integer<uint32_t>(block[4 * i]) << 24U |
           std::to_integer<uint32_t>(block[4 * i + 1]) << 16U |
           std::to_integer<uint32_t>(block[4 * i + 2]) << 8U | std::to_integer<uint32_t>(block[4 * i + 3]);
  }
  for (size_t i = 16; i < 64; ++i) {
    const uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ w[i - 15] >> 3U;
    const uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ w[i - 2] >> 10U;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state_;
  for (size_t i = 0; i < 64; ++i) {
    const uint32_t t1 = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) +
                        kRoundConstants[i] + w[i];
    const uint32_t t2 =
        (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const std::array<uint32_t, 8> sums{a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < 8; ++i) {
    state_[i] += sums[i];
  }
}

void Sha256::add(std::span<const std::byte> bytes) {
  size_t filled = size_ % block_.size();
  size_ += bytes.size();
  if (filled > 0) {
    const size_t taken = std::min(block_.size() - filled, bytes.size());
    std::copy_n(bytes.begin(), taken, block_.begin() + static_cast<int64_t>(filled));
    bytes = bytes.subspan(taken);
    filled += taken;
    if (filled < block_.size()) {
      return;
    }
    add_block(block_.data());
  }
  for (; bytes.size() >= block_.size(); bytes = bytes.subspan(block_.size())) {
    add_block(bytes.data());
  }
  std::copy(bytes.begin(), bytes.end(), block_.begin());
}

std::string Sha256::digits() {
  const uint64_t bits = size_ * 8;
  std::array<std::byte, 72> padding{std::byte{0x80}};
  const size_t zeros = (size_ % 64 < 56 ? 56 : 120) - size_ % 64; // 0x80 included
  for (size_t i = 0; i < 8; ++i) {
    padding[zeros + i] = static_cast<std::byte>(bits >> (56 - 8 * i));
  }
  add(std::span(padding).first(zeros + 8));
  return fmt::format("{:08x}", fmt::join(state_, ""));
}

} // namespace mneme
