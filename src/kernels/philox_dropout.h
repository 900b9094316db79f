// SPDX-License-Identifier: MIT

/// Dropout mask of attention weights or row elements, regenerated from a counter-based RNG (Philox) in
/// forward and backward; never stored.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "mneme/core/random.h"

namespace mneme::kernels {

/// Dropout of the weight of query q and stored pattern s, counted from the start of the whole tensor. The
/// weight is dropped if philox4x32({s / 4, q}, seed)[s % 4] < 2^32 probability, where both counters are
/// 64-bit numbers, low words first. The mask therefore depends neither on threads nor on tiles. Kept weights
/// are multiplied by 1 / (1 - probability), after they have been divided by the row_sum of all weights. For
/// row elements, q is the row and s the column.
///
/// Also    docs/theory/streaming_attention.md, section 5
struct PhiloxDropout {
  double probability = 0; ///< in [0, 1]
  uint64_t seed = 0;
  int64_t first_query = 0,
          first_stored = 0; ///< position of query 0 and pattern 0 of this call in the whole tensor
  /// With num_heads > 0, queries are in the order [num_heads, batch, length], but have the masks of the order
  /// [batch, num_heads, length].
  int64_t num_heads = 0, batch = 0, length = 0;

  /// Dropout of the queries and patterns from (query, stored) on.
  PhiloxDropout at(int64_t query, int64_t stored) const {
    PhiloxDropout moved = *this;
    moved.first_query += query, moved.first_stored += stored;
    return moved;
  }
  /// Counter of a query of this call.
  int64_t row(int64_t query) const {
    const int64_t position = first_query + query;
    if (num_heads == 0) {
      return position;
    }
    const int64_t head = position / length / batch, entry = position / length % batch;
    return (entry * num_heads + head) * length + position % length;
  }
  uint32_t drop_threshold() const { ///< random words below it mean "dropped"
    return static_cast<uint32_t>(std::min(probability * 4294967296.0, 4294967295.0)); // 2^32
  }
  double keep_scale() const { return probability < 1 ? 1 / (1 - probability) : 0; }

  /// Random words of the patterns 4 * group .. 4 * group + 3. `query` counts from the first query of the
  /// call, `group` from the start of the whole tensor.
  std::array<uint32_t, 4> words(int64_t query, int64_t group) const {
    const auto counter = static_cast<uint64_t>(row(query)), column = static_cast<uint64_t>(group);
    return philox4x32({static_cast<uint32_t>(column), static_cast<uint32_t>(column >> 32),
                       static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32)},
                      {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  }
  /// Factor of the weight of a pair: 0 or keep_scale. Query and pattern count from the first of the call.
  double factor(int64_t query, int64_t stored) const {
    if (probability == 0) {
      return 1;
    }
    const int64_t s = first_stored + stored;
    return words(query, s / 4)[static_cast<size_t>(s % 4)] < drop_threshold() ? 0 : keep_scale();
  }
};

} // namespace mneme::kernels
