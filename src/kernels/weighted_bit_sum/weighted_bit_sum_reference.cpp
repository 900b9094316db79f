// SPDX-License-Identifier: MIT

#include "kernels/weighted_bit_sum/weighted_bit_sum.h"

#include <vector>

namespace mneme::kernels::reference {

void weighted_bit_sum(const WeightedBitSumArgs& args) {
  std::vector<int64_t> balance(static_cast<size_t>(64 * args.words)); // ones minus zeros
  for (int64_t d = 0; d < args.num_distances; ++d) {
    if (args.weights[d] == 0) {
      continue;
    }
    balance.assign(balance.size(), 0);
    for (int64_t i = 0; i < args.num_rows; ++i) {
      if (args.distances[i] != d) {
        continue;
      }
      const uint64_t* row = args.values + args.rows[i] * args.words;
      for (size_t b = 0; b < balance.size(); ++b) {
        balance[b] += (row[b / 64] >> (b % 64)) & 1U ? 1 : -1;
      }
    }
    for (size_t b = 0; b < balance.size(); ++b) {
      args.sums[b] += args.weights[d] * static_cast<double>(balance[b]);
    }
  }
}

} // namespace mneme::kernels::reference
