// SPDX-License-Identifier: MIT

#include "kernels/counter_sum/counter_sum.h"

namespace mneme::kernels::reference {

void counter_sum(const CounterSumArgs& args) {
  for (int64_t i = 0; i < args.num_rows; ++i) {
    for (int64_t b = 0; b < args.size; ++b) {
      args.sums[b] += args.counters[args.rows[i] * args.size + b];
    }
  }
}

} // namespace mneme::kernels::reference
