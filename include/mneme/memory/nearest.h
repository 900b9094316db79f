// SPDX-License-Identifier: MIT

/// Exact nearest-neighbour search over bit patterns by Hamming distance.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mneme/core/patterns.h"

namespace mneme {

/// Stored patterns found for each query, by increasing distance; equal distances in the order of storage.
struct BitNeighbours {
  /// [Q + 1]: query q has the entries offsets[q] to offsets[q + 1] (exclusive) of indices and distances.
  std::vector<int64_t> offsets = {0};
  std::vector<int64_t> indices;   ///< of stored patterns
  std::vector<int32_t> distances; ///< in bits

  std::span<const int64_t> indices_of(int64_t query) const;
  std::span<const int32_t> distances_of(int64_t query) const;
};

/// The k nearest stored patterns of each query; all S of them if k > S.
///
/// Shapes  queries [Q, n], stored [S, n]
/// Errors  UsageError if the sizes differ, k < 0, or S >= 2^30
/// Cost    O(Q S n / 64) in parallel over stored patterns; memory O(Q k + S). The result does not depend on
///         the number of threads
BitNeighbours nearest(const BitPatterns& queries, const BitPatterns& stored, int64_t k);

/// All stored patterns within a Hamming distance of each query (inclusive).
///
/// Shapes  queries [Q, n], stored [S, n]
/// Errors  UsageError if the sizes differ, the radius is negative, or S >= 2^30
/// Cost    O(Q S n / 64) in parallel over stored patterns; memory O(found)
BitNeighbours within(const BitPatterns& queries, const BitPatterns& stored, int64_t hamming_radius);

} // namespace mneme
