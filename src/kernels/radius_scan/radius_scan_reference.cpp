// SPDX-License-Identifier: MIT

#include "kernels/radius_scan/radius_scan.h"

#include <algorithm>
#include <bit>

namespace mneme::kernels::reference {

void radius_scan(const RadiusScanArgs& args) {
  for (int64_t q = 0; q < args.num_queries; ++q) {
    int64_t count = 0;
    for (int64_t s = 0; s < args.num_stored; ++s) {
      int32_t distance = 0;
      for (int64_t w = 0; w < args.words; ++w) {
        distance += std::popcount(args.queries[q * args.words + w] ^ args.stored[s * args.words + w]);
      }
      if (args.min_distances != nullptr) {
        args.min_distances[q] = std::min(args.min_distances[q], distance);
      }
      if (distance > args.limits[q]) {
        continue;
      }
      if (count < args.capacity) {
        args.rows[q * args.capacity + count] = args.first_row + static_cast<int32_t>(s);
        if (args.distances != nullptr) {
          args.distances[q * args.capacity + count] = distance;
        }
      }
      ++count;
    }
    args.counts[q] = count;
  }
}

} // namespace mneme::kernels::reference
