// SPDX-License-Identifier: MIT

/// Scan of stored bit patterns for those near a query, without keeping all distances.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "mneme/core/patterns.h"

namespace mneme {

/// Some stored patterns and their Hamming distances to one query.
struct RowDistances {
  std::vector<int32_t> rows, distances; ///< of the same length; rows ascend
};

/// The stored patterns selected for one query.
struct NearRows {
  std::vector<RowDistances> tiles; ///< in ascending order of rows
  /// Over all stored patterns; the largest int32_t if there is none.
  int32_t min_distance = std::numeric_limits<int32_t>::max();

  int64_t count() const;
};

/// The largest distance that is selected when `min_distance` is the smallest. It must not fall where
/// min_distance rises.
using DistanceLimit = std::function<int32_t(int32_t min_distance)>;

/// Selects, for each of the `count` queries from `first` on, all stored patterns within limit(smallest
/// distance of the query).
///
/// Cost    O(count S n), in parallel over stored patterns; memory O(selected). The result does not depend on
///         the number of threads. stored.count() < 2^30
std::vector<NearRows> scan_near(const BitPatterns& queries, int64_t first, int64_t count,
                                const BitPatterns& stored, const DistanceLimit& limit);

/// Selects at least the k nearest stored patterns of each query (all where there are fewer), and few others:
/// those that were among the k nearest when they were scanned. Cost and threads as scan_near. `min_distance`
/// of the result is not set.
std::vector<NearRows> scan_nearest(const BitPatterns& queries, int64_t first, int64_t count,
                                   const BitPatterns& stored, int64_t k);

/// Number of stored patterns within limits[q] of query first + q, for each of the limits. Cost and threads
/// as scan_near.
std::vector<int64_t> count_within(const BitPatterns& queries, int64_t first,
                                  const std::vector<int32_t>& limits, const BitPatterns& stored);

/// Errors  UsageError if there are 2^30 stored patterns or more, or patterns of 2^30 bits or more
void require_scannable(const BitPatterns& stored);

/// Queries that are best scanned together, if about `selected` stored patterns are selected for each: the
/// stored patterns are read once for all of them, but not too many selected ones are kept.
int64_t queries_per_scan(int64_t selected);

/// Estimate of the number of stored patterns that are selected for a query, from a sample.
int64_t expected_selection(const BitPatterns& queries, const BitPatterns& stored, const DistanceLimit& limit);

} // namespace mneme
