// SPDX-License-Identifier: MIT

/// Which weights of an association, or numbers of rows, are dropped: told anew by counter wherever it is needed, and never kept.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "mneme/core/random.h"

namespace mneme::kernels {

/// A weight that is left is multiplied with 1 / (1 - share), one that is dropped with 0. That of query q and pattern s is
/// dropped where philox4x32({s / 4, q}, seed)[s % 4] < 2^32 share, both numbers as 64 bits, low words first: so it
/// depends neither on threads nor on tiles. Weights are dropped after they have been divided by their sum. Of rows, q is the
/// row and s the column.
struct PairDropout {
  double share = 0; ///< in [0, 1]
  uint64_t seed = 0;
  int64_t first_query = 0, first_stored = 0; ///< where those of a call stand in the whole association

  /// The same for a part of the queries and patterns.
  PairDropout at(int64_t query, int64_t stored) const {
    return {share, seed, first_query + query, first_stored + stored};
  }
  uint32_t threshold() const {
    return static_cast<uint32_t>(std::min(share * 4294967296.0, 4294967295.0)); // 2^32
  }
  double scale() const { return share < 1 ? 1 / (1 - share) : 0; }

  /// The random words of the patterns 4 * group .. 4 * group + 3, counted from the first of all.
  std::array<uint32_t, 4> words(int64_t query, int64_t group) const {
    const auto row = static_cast<uint64_t>(first_query + query), column = static_cast<uint64_t>(group);
    return philox4x32({static_cast<uint32_t>(column), static_cast<uint32_t>(column >> 32),
                       static_cast<uint32_t>(row), static_cast<uint32_t>(row >> 32)},
                      {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  }
};

namespace reference {

/// What the weight of a pair is multiplied with.
inline double dropout_factor(const PairDropout& dropout, int64_t query, int64_t stored) {
  const int64_t s = dropout.first_stored + stored;
  return dropout.share == 0                                                              ? 1
         : dropout.words(query, s / 4)[static_cast<size_t>(s % 4)] < dropout.threshold() ? 0
                                                                                         : dropout.scale();
}

} // namespace reference
} // namespace mneme::kernels
