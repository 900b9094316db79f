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
/// the readout: with the smallest distance d_0 and a limit d_1, S - k rows are left out and each weighs less
/// than w_1 = exp(beta (score(d_1 + 1) - score(d_0))). If every weighted sum of the k others is larger than
/// (S - k) w_1 in absolute value, its sign is that of the complete sum. Otherwise the complete sum is
/// computed.
class BitAssociation {
public:
  /// bits: of what is compared. The separator draws nothing at random.
  BitAssociation(const Separation& separation, const Similarity& similarity, int64_t bits);
  BitAssociation(const BitAssociation&) = delete; // its functions refer to it
  BitAssociation& operator=(const BitAssociation&) = delete;

  /// Readout of one query before division by the sum of the weights.
  struct Sums {
    std::vector<double> values; ///< weighted sums of values as -1 and +1, [values.bits()]
    Separator::Row row;
  };
  /// Sums of `count` queries from `first` on. Where `signs_only`, sums may be incomplete but have the right
  /// signs.
  ///
  /// Shapes  queries [Q, n], stored [S, n], values [S, V]
  std::vector<Sums> associate(const BitPatterns& queries, int64_t first, int64_t count,
                              const BitPatterns& stored, const BitPatterns& values,
                              const Separator& separator, bool signs_only, EmptyRead empty_read) const;

private:
  Sums sums_of(const BitPatterns& queries, int64_t query, const NearRows& near, const BitPatterns& stored,
               const BitPatterns& values, const Separator& separator, EmptyRead empty_read) const;
  /// Largest distance of rows that are projected; see above.
  int32_t limit(int32_t min_distance, int64_t num_stored, bool signs_only) const;
  struct Weights {
    std::vector<double> by_distance; ///< [bits + 1], 0 where there is no row
    Separator::Row row;
  };
  Weights weights(const NearRows& near, const Separator& separator) const;

  std::vector<double> scores_; ///< [bits + 1], falling
  /// Largest distance that can have a weight, by the smallest distance.
  DistanceLimit reach_;
  /// Of Softmax where no weight underflows, else absent: then rows of negligible weight can be left out.
  std::optional<double> beta_;
  bool counts_matter_ = false; ///< weights depend on how many rows there are at each distance
};

} // namespace mneme
