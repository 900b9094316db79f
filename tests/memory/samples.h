// SPDX-License-Identifier: MIT

/// Random patterns for the tests of memories.
#pragma once

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "mneme/core/patterns.h"
#include "mneme/core/random.h"

namespace mneme::test {

inline BitPatterns random_bits(int64_t count, int64_t bits, uint64_t seed) {
  BitPatterns patterns(count, bits);
  Random random(seed);
  for (int64_t i = 0; i < count; ++i) {
    std::ranges::generate(patterns[i], [&] { return random.next(); });
    if (bits > 0) {
      patterns[i].back() &= patterns.last_word_mask();
    }
  }
  return patterns;
}

inline RealPatterns random_sphere(int64_t count, int64_t size, uint64_t seed) {
  RealPatterns patterns(count, size);
  Random random(seed);
  for (int64_t i = 0; i < count; ++i) {
    std::ranges::generate(patterns[i], [&] { return random.normal(); });
  }
  return normalised(patterns);
}

/// The patterns with exactly `flips` random bits flipped in each.
inline BitPatterns with_flips(BitPatterns patterns, int64_t flips, uint64_t seed) {
  Random random(seed);
  for (int64_t i = 0; i < patterns.count(); ++i) {
    for (const int64_t bit : random.distinct(flips, patterns.bits())) {
      patterns.flip(i, bit);
    }
  }
  return patterns;
}

/// Message of the UsageError that `act` must throw.
template <class Act> std::string usage_error(Act act) {
  try {
    act();
  } catch (const UsageError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no UsageError was thrown";
  return "";
}

inline void expect_contains(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" is missing in: " << text;
  }
}

} // namespace mneme::test
