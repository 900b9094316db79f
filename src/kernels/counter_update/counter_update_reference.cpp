// SPDX-License-Identifier: MIT

#include "kernels/counter_update/counter_update.h"

#include <algorithm>
#include <limits>

namespace mneme::kernels::reference {

int64_t counter_update(const CounterUpdateArgs& args) {
  constexpr int kMin = std::numeric_limits<int16_t>::min(), kMax = std::numeric_limits<int16_t>::max();
  int64_t clipped = 0;
  for (int64_t i = 0; i < args.num_locations; ++i) {
    int16_t* counters = args.counters + args.locations[i] * 64 * args.words;
    for (int32_t j = args.offsets[i]; j < args.offsets[i + 1]; ++j) {
      const uint64_t* pattern = args.patterns + args.written[j] * args.words;
      for (int64_t b = 0; b < args.bits; ++b) {
        const int sum = counters[b] + (((pattern[b / 64] >> (b % 64)) & 1U) != 0 ? args.sign : -args.sign);
        const int saturated = std::clamp(sum, kMin, kMax);
        clipped += saturated != sum ? 1 : 0;
        counters[b] = static_cast<int16_t>(saturated);
      }
    }
  }
  return clipped;
}

} // namespace mneme::kernels::reference
