// SPDX-License-Identifier: MIT

/// One association of bit patterns that are compared as bits, at about the cost of its distances.
#pragma once

#include <optional>
#include <vector>

#include "memory/bit_scan.h"
#include "memory/separator.h"
#include "mneme/core/patterns.h"
#include "mneme/memory/similarity.h"
#include "mneme/memory/update.h"

namespace mneme {

/// Similarity and separation as functions of the Hamming distance: every score of bits is one, so that a row
/// of weights is a table with one entry per distance, and rows of equal distance are projected together
/// (kernels/weighted_bit_sum).
///
/// Rows of weight 0 are not projected. For Softmax, neither are rows whose weights cannot change a bit of
/// the readout: with the smallest distance d_0 and a limit d_1, S - k rows are left out and each weighs at
/// most w_1 = exp(beta (score(d_1 + 1) - score(d_0))). If every weighted sum of the k others is larger than
/// (S - k) w_1 in absolute value, and than its rounding, its sign is that of the complete sum. Otherwise the
/// complete sum is computed.
class BitAssociation {
public:
  /// The separator of `separation`, which draws nothing at random, must outlive this object. bits: of what is
  /// compared.
  BitAssociation(const Separator& separator, const Separation& separation, const Similarity& similarity,
                 int64_t bits);
  BitAssociation(const BitAssociation&) = delete; // its functions refer to it
  BitAssociation& operator=(const BitAssociation&) = delete;

  /// Readout of one query before division by the sum of the weights.
  struct Sums {
    std::vector<double>
        values;         ///< weighted sums of values as -1 and +1, [values.bits()]; of Softmax the signs
    Separator::Row row; ///< sum over the projected rows; number of rows whose weight is not 0
  };
  /// Number of queries that are best associated together.
  int64_t queries_together(const BitPatterns& queries, const BitPatterns& stored) const;
  /// Sums of `count` queries from `first` on.
  ///
  /// Shapes  queries [Q, n], stored [S, n], values [S, V]
  std::vector<Sums> associate(const BitPatterns& queries, int64_t first, int64_t count,
                              const BitPatterns& stored, const BitPatterns& values,
                              EmptyRead empty_read) const;

private:
  /// For a limit that does not depend on the smallest distance: rows are counted while they are in the cache.
  /// most_are_near: expectation about the number of rows within the limit, which matters to time alone.
  std::vector<Sums> associate_tile_by_tile(const BitPatterns& queries, int64_t first, int64_t count,
                                           const BitPatterns& stored, const BitPatterns& values,
                                           EmptyRead empty_read, bool most_are_near) const;
  Sums sums_of(const BitPatterns& queries, int64_t query, const NearRows& near, const BitPatterns& stored,
               const BitPatterns& values, EmptyRead empty_read) const;
  /// Largest distance of rows that are projected at first; see above.
  int32_t relevant_limit(int32_t min_distance, int64_t num_stored) const;
  int64_t skipped(const NearRows& near, const BitPatterns& stored) const;
  /// Whether the skipped rows cannot change the sign of a sum.
  bool decided(const NearRows& near, const BitPatterns& stored, const Sums& sums) const;
  /// Of Softmax: rows whose weight does not underflow.
  void count_activated(const BitPatterns& queries, int64_t first, const std::vector<NearRows>& near,
                       const BitPatterns& stored, std::vector<Sums>& sums) const;
  struct Weights {
    std::vector<double> by_distance; ///< [bits + 1], 0 where there is no row
    Separator::Row row;
  };
  /// rows_at: number of selected rows at each distance, [bits + 1].
  Weights weights(const std::vector<int64_t>& rows_at) const;

  const Separator& separator_;
  std::vector<double> scores_; ///< [bits + 1], falling
  /// Largest distance that can have a weight, by the smallest distance.
  DistanceLimit reach_;
  bool reach_is_fixed_ = false; ///< reach_ is constant
  /// Of Softmax, else absent: rows of negligible weight can be left out.
  std::optional<double> beta_;
  bool counts_matter_ = false; ///< weights depend on how many rows there are at each distance
};

} // namespace mneme
