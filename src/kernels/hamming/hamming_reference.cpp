// SPDX-License-Identifier: MIT

#include "kernels/hamming/hamming.h"

#include <bit>

namespace mneme::kernels::reference {

void hamming(const HammingArgs& args) {
  for (int64_t q = 0; q < args.num_queries; ++q) {
    for (int64_t s = 0; s < args.num_stored; ++s) {
      int32_t distance = 0;
      for (int64_t w = 0; w < args.words; ++w) {
        distance += std::popcount(args.queries[q * args.words + w] ^ args.stored[s * args.words + w]);
      }
      args.distances[q * args.num_stored + s] = distance;
    }
  }
}

} // namespace mneme::kernels::reference
