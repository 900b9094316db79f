// SPDX-License-Identifier: MIT

/// Update of the counters of hard locations by the patterns that are written to them.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// Adds patterns to counters: +sign where a bit is 1, -sign where it is 0.
///
/// counters [*, 64 words]: rows of 16-bit counters, of which those from `bits` on are not defined afterwards;
/// patterns [*, words]: packed bits; locations [num_locations]: rows of counters, each at most once; the
/// patterns of location i are patterns[written[j]] for j in offsets[i] .. offsets[i + 1] - 1, in that order.
/// Any sizes >= 0, no alignment needed.
struct CounterUpdateArgs {
  int16_t* counters;
  const uint64_t* patterns;
  const int64_t* locations;
  const int32_t* offsets; ///< [num_locations + 1]
  const int32_t* written;
  int64_t num_locations, words;
  int64_t bits; ///< 64 (words - 1) < bits <= 64 words
  int16_t sign; ///< 1, or -1 to subtract
  /// True: additions saturate, pattern by pattern. False: the caller guarantees that no counter of a location
  /// with k patterns can leave the 16 bits, and that k < 2^15.
  bool saturates;
};

/// Single-threaded; selects the CPU target once per call. Returns the number of additions that were clipped.
/// Bitwise identical to the reference.
int64_t counter_update(const CounterUpdateArgs& args);

namespace reference {
int64_t counter_update(const CounterUpdateArgs& args);
}

} // namespace mneme::kernels
