// SPDX-License-Identifier: MIT

/// Comparison of queries with hard locations that have selected coordinates (Jaeckel's designs).
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/patterns.h"

namespace mneme {

/// Queries in groups of 64, bit-sliced: one word holds one coordinate of 64 queries, so that they are
/// compared with a hard location by one operation per selected coordinate.
class SlicedQueries {
public:
  static constexpr int64_t kQueriesPerGroup = 64;

  /// `count` queries from `first` on.
  SlicedQueries(const BitPatterns& queries, int64_t first, int64_t count);

  int64_t count() const { return count_; }
  /// Words [2 bits] of a group: bit q of word 2 c + v is set where coordinate c of query q differs from v.
  const uint64_t* group(int64_t index) const { return words_.data() + index * 2 * bits_; }

private:
  int64_t bits_, count_;
  std::vector<uint64_t> words_;
};

/// Hard locations of a tile, and the lists of those that each query activates.
struct SelectedScanArgs {
  const int32_t* selected; ///< [num_locations, coordinates]: 2 * coordinate + assigned value
  int32_t* lists;          ///< [queries, capacity]: the first `capacity` activated locations, ascending
  int64_t* counts;         ///< [queries]: number of activated locations, also of those beyond the capacity
  int64_t num_locations, coordinates, capacity;
  int64_t limit; ///< number of selected coordinates that may differ
};

/// Compares queries `first` to `end` (exclusive) with all locations of a tile. Lists and counts begin with
/// query `first`.
///
/// Cost    O(num_locations coordinates (limit + 1)) per group of 64 queries; single-threaded
void selected_scan(const SlicedQueries& queries, int64_t first, int64_t end, const SelectedScanArgs& args);

} // namespace mneme
