// SPDX-License-Identifier: MIT

/// Exact nearest-neighbour search: bit patterns by Hamming distance, real patterns by any similarity.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/memory/similarity.h"

namespace mneme {

/// Stored patterns found for each query, by increasing distance; equal distances in the order of storage.
struct BitNeighbours {
  /// [Q + 1]: query q has the entries offsets[q] to offsets[q + 1] (exclusive) of indices and distances.
  std::vector<int64_t> offsets = {0};
  std::vector<int64_t> indices;   ///< of stored patterns
  std::vector<int32_t> distances; ///< in bits

  /// Errors  UsageError if there is no such query
  std::span<const int64_t> indices_of(int64_t query) const;
  std::span<const int32_t> distances_of(int64_t query) const;
};

/// Stored patterns that are exactly as near as the k-th nearest one.
enum class Ties {
  first, ///< only those that were stored first, so that there are at most k results
  all    ///< all of them, so that there may be more than k results
};

/// The k nearest stored patterns of each query; all S of them if k > S.
///
/// Shapes  queries [Q, n], stored [S, n]
/// Errors  UsageError if the sizes differ, k < 0, or S >= 2^30
/// Cost    O(Q S n / 64) in parallel over stored patterns; memory O(Q k + S). The result does not depend on
///         the number of threads
BitNeighbours nearest(const BitPatterns& queries, const BitPatterns& stored, int64_t k,
                      Ties ties = Ties::first);

/// All stored patterns within a Hamming distance of each query (inclusive).
///
/// Shapes  queries [Q, n], stored [S, n]
/// Errors  UsageError if the sizes differ, the radius is negative, or S >= 2^30
/// Cost    O(Q S n / 64) in parallel over stored patterns; memory O(found)
BitNeighbours within(const BitPatterns& queries, const BitPatterns& stored, int64_t hamming_radius);

/// Stored real patterns found for each query, by decreasing score; equal scores in the order of storage.
struct RealNeighbours {
  /// [Q + 1]: query q has the entries offsets[q] to offsets[q + 1] (exclusive) of indices and scores.
  std::vector<int64_t> offsets = {0};
  std::vector<int64_t> indices; ///< of stored patterns
  std::vector<double> scores;   ///< of the similarity; a larger score is nearer

  /// Errors  UsageError if there is no such query
  std::span<const int64_t> indices_of(int64_t query) const;
  std::span<const double> scores_of(int64_t query) const;
};

/// The k stored patterns with the largest scores for each query; all S of them if k > S.
///
/// Shapes  queries [Q, n], stored [S, n]
/// Errors  UsageError if the sizes differ, k < 0, a number is not finite, a score overflows, or
///         products or squared differences of a neighbour are too small for double
/// Cost    O(Q S n) in parallel over stored patterns; memory O(Q k + S n). The result does not depend on the
///         number of threads
RealNeighbours nearest(const RealPatterns& queries, const RealPatterns& stored, int64_t k,
                       const Similarity& similarity = Cosine{}, Ties ties = Ties::first);

/// All stored patterns with a score of at least `score_min` for each query. Shapes, errors and cost as above;
/// memory O(found + S n).
RealNeighbours at_least(const RealPatterns& queries, const RealPatterns& stored, double score_min,
                        const Similarity& similarity = Cosine{});

} // namespace mneme
