// SPDX-License-Identifier: MIT

/// The random numbers of data sets that were published with PyTorch's CPU generator, and checks on their sizes.
#pragma once

#include <cstdint>
#include <random>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::data {

/// torch.randint: the next 32 bits modulo the bound.
class PublishedGenerator {
public:
  explicit PublishedGenerator(uint32_t seed) : bits_(seed) {}

  /// 0 .. bound - 1; bound at most 2^32, beyond which PyTorch draws 64 bits.
  int64_t below(int64_t bound) { return static_cast<int64_t>(bits_()) % bound; }

private:
  std::mt19937 bits_;
};

/// Errors  UsageError unless least <= number < 2^32
inline void check_at_least(const char* where, const char* name, int64_t number, int64_t least) {
  constexpr int64_t kLimit = int64_t{1} << 32;
  if (number < least || number >= kLimit) {
    throw UsageError(
        fmt::format("{}: {} is {}, but it must lie between {} and {}.\n  Ask for a number within.", where,
                    name, number, least, kLimit - 1));
  }
}

/// Rows of several lists of `items` each. Errors  UsageError if there are too many to be counted
inline int64_t checked_rows(const char* where, int64_t lists, int64_t items) {
  constexpr int64_t kRowsMax = int64_t{1} << 48;
  if (lists > kRowsMax / items) {
    throw UsageError(
        fmt::format("{}: {} times {} are more than {}.\n  Ask for fewer.", where, lists, items, kRowsMax));
  }
  return lists * items;
}

} // namespace mneme::data
