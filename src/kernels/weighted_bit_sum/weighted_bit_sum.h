// SPDX-License-Identifier: MIT

/// Projection of bits: sum of packed bit rows as -1 and +1, with weights that depend on the Hamming distance
/// of a row alone.
///
/// Rows of equal distance share their weight, so their bits are counted first and weighted once:
///
///     sums_b += sum_d weight(d) (2 count_b(d) - rows(d))
///
/// where count_b(d) is the number of rows at distance d that have bit b.
///
/// The counts are exact integers, kept as bit planes: plane p holds bit p of the counts of 64 columns per
/// word, and 16 rows are added to it by a tree of carry-save adders. That is 3 operations per row and vector
/// instead of one masked addition per row and number.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// values [*, words]: packed bits, row-major; distances, rows [num_rows]: row i is values[rows[i]], at a
/// distance 0 <= distances[i] < num_distances; weights [num_distances]; sums [64 words]. Any sizes >= 0, no
/// alignment needed; num_rows < 2^30.
struct WeightedBitSumArgs {
  const uint64_t* values;
  const int32_t* rows;
  const int32_t* distances;
  const double* weights;
  double* sums;
  int64_t num_rows, words, num_distances;
};

/// Single-threaded. Rows of weight 0 are not read. Adds the terms of the formula in ascending order of
/// distance, so the order of the rows does not matter.
void weighted_bit_sum(const WeightedBitSumArgs& args);

namespace reference {
void weighted_bit_sum(const WeightedBitSumArgs& args);
}

} // namespace mneme::kernels
