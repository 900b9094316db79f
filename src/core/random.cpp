// SPDX-License-Identifier: MIT

#include "mneme/core/random.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <unordered_map>
#include <utility>

#include "mneme/core/error.h"

namespace mneme {
namespace {

/// Finaliser of splitmix64: a bijection in which every input bit affects all output bits.
uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

uint32_t low(uint64_t x) {
  return static_cast<uint32_t>(x);
}
uint32_t high(uint64_t x) {
  return static_cast<uint32_t>(x >> 32);
}

} // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> c, std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * c[0], product1 = kMultiplier1 * c[2];
    c = {high(product1) ^ c[1] ^ key[0], low(product1), high(product0) ^ c[3] ^ key[1], low(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return c;
}

Random Random::stream(uint64_t id) const {
  Random child(seed_);
  // The golden-ratio increment makes stream(0) differ from its parent; mixing twice makes stream(a).stream(b)
  // differ from stream(b).stream(a).
  child.stream_ = mixed(mixed(stream_ + 0x9E3779B97F4A7C15U) ^ id);
  return child;
}

uint64_t Random::at(uint64_t index) const {
  const uint64_t block = index / 2; // a Philox block holds two 64-bit numbers
  const auto words =
      philox4x32({low(block), high(block), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
  const size_t half = index % 2 == 0 ? 0 : 2;
  return words[half] | (static_cast<uint64_t>(words[half + 1]) << 32);
}

double Random::normal() {
  const double u = 1.0 - uniform(); // in (0, 1], so that the logarithm is finite
  const double angle = 2.0 * std::numbers::pi * uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(angle);
}

uint64_t Random::below(uint64_t bound) {
  if (bound == 0) {
    throw UsageError("mneme::Random: a number below 0 was requested.\n  Give a bound of at least 1.");
  }
  const uint64_t rejected = (0 - bound) % bound; // 2^64 mod bound; rejecting these removes the bias
  for (;;) {
    if (const uint64_t x = next(); x >= rejected) {
      return x % bound;
    }
  }
}

std::vector<int64_t> Random::distinct(int64_t count, int64_t bound) {
  if (count < 0 || count > bound) {
    throw UsageError("mneme::Random: " + std::to_string(count) + " distinct numbers of " +
                     std::to_string(bound) + " were requested.\n  Request a number from 0 to that of all.");
  }
  // Fisher-Yates shuffle of 0 .. bound - 1. If few entries move, only these are stored; the result is the
  // same.
  std::vector<int64_t> chosen(static_cast<size_t>(count));
  const auto shuffle = [&](auto&& entry) {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t j = i + static_cast<int64_t>(below(static_cast<uint64_t>(bound - i)));
      chosen[static_cast<size_t>(i)] = std::exchange(entry(j), entry(i));
    }
  };
  constexpr int64_t kMinRatio = 16;
  if (count >= bound / kMinRatio) {
    std::vector<int64_t> entries(static_cast<size_t>(bound));
    std::iota(entries.begin(), entries.end(), 0);
    shuffle([&](int64_t i) -> int64_t& { return entries[static_cast<size_t>(i)]; });
  } else {
    std::unordered_map<int64_t, int64_t> moved;
    shuffle([&](int64_t i) -> int64_t& { return moved.try_emplace(i, i).first->second; });
  }
  return chosen;
}

} // namespace mneme
