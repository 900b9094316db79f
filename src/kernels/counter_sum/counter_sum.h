// SPDX-License-Identifier: MIT

/// Sum of the counters of the hard locations that a cue activates.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// counters [*, size]: rows of 16-bit counters; rows [num_rows]: row numbers; sums [size]. Any sizes >= 0, no
/// alignment needed. The sums must not leave 32 bits.
struct CounterSumArgs {
  const int16_t* counters;
  const int32_t* rows;
  int32_t* sums; ///< the counters of the rows are added to them
  int64_t num_rows, size;
  /// Largest magnitude of a counter, 0 .. 32768; the smaller, the more rows are added in 16 bits.
  int64_t magnitude;
};

/// Single-threaded; selects the CPU target once per call. Bitwise identical to the reference.
void counter_sum(const CounterSumArgs& args);

namespace reference {
void counter_sum(const CounterSumArgs& args);
}

} // namespace mneme::kernels
