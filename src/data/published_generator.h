// SPDX-License-Identifier: MIT

/// Random numbers of PyTorch's CPU generator, used to reproduce published data sets, and checks of their
/// sizes.
#pragma once

#include <cstdint>
#include <random>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::data {

/// Generator of torch.randint: the next 32 bits modulo the bound.
class PublishedGenerator {
public:
  explicit PublishedGenerator(uint32_t seed) : bits_(seed) {}

  /// A number in 0 .. bound - 1. `bound` is at most 2^32; for larger bounds PyTorch draws 64 bits.
  int64_t below(int64_t bound) { return static_cast<int64_t>(bits_()) % bound; }

private:
  std::mt19937 bits_;
};

/// Errors  UsageError unless min <= number < 2^32
inline void check_at_least(const char* where, const char* name, int64_t number, int64_t min) {
  constexpr int64_t kLimit = int64_t{1} << 32;
  if (number < min || number >= kLimit) {
    throw UsageError(
        fmt::format("{}: {} is {}, but it must be from {} to {}.\n  Choose a value in this range.", where,
                    name, number, min, kLimit - 1));
  }
}

/// Total number of rows in `lists` lists of `items` rows each. Errors  UsageError if it exceeds 2^48
inline int64_t checked_rows(const char* where, int64_t lists, int64_t items) {
  constexpr int64_t kRowsMax = int64_t{1} << 48;
  if (lists > kRowsMax / items) {
    throw UsageError(fmt::format("{}: {} lists of {} rows exceed the maximum of {} rows.\n  Choose fewer.",
                                 where, lists, items, kRowsMax));
  }
  return lists * items;
}

} // namespace mneme::data
