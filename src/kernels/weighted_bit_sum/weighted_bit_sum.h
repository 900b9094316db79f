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

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

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

/// The counts of the formula for rows that arrive tile by tile, while a tile is in the cache: `count_bits`
/// for each tile, then `count_pending_bits` and `add_weighted_counts`.
///
/// Rows of a distance are collected until there are 32, which one tree of 31 full adders per vector adds to
/// the planes: a distance of random patterns has only some tens of rows per tile, and incomplete trees would
/// cost as much as complete ones.
struct BitCounts {
  /// For at most max_rows rows, < 2^30.
  BitCounts(int64_t words_, int64_t num_distances, int64_t max_rows);

  static constexpr int64_t kPending = 32;
  static constexpr int kPlanesMin = 5; ///< that a tree adds to

  int64_t words;
  int num_planes;                ///< so that max_rows can be counted
  std::vector<int32_t> slots;    ///< [num_distances]: index of each distance below; -1: no row yet
  std::vector<int64_t> num_rows; ///< [slots]: number of rows at a distance
  std::vector<uint64_t> planes;  ///< [slots, num_planes, words]
  /// Rows that are not in the planes and num_rows yet: [num_distances, kPending], of which the first
  /// num_pending [num_distances] of a distance are used.
  std::unique_ptr<int32_t[]> pending;
  std::vector<uint8_t> num_pending;
};

/// values, distances as in WeightedBitSumArgs; the same values in every call for `counts`.
struct CountBitsArgs {
  BitCounts* counts;
  const uint64_t* values;
  const int32_t* rows; ///< null: row i is first_row + i
  const int32_t* distances;
  int64_t num_rows;
  int32_t first_row;
};

void count_bits(const CountBitsArgs& args);
/// Adds the pending rows, after all calls of `count_bits`.
void count_pending_bits(BitCounts& counts, const uint64_t* values);
/// Adds the counts of other rows. Neither has pending rows.
void merge_counts(BitCounts& counts, const BitCounts& others);
/// sums [64 words] += the terms of the formula, in ascending order of distance, for weights [num_distances].
void add_weighted_counts(const BitCounts& counts, const double* weights, double* sums);

namespace reference {
void weighted_bit_sum(const WeightedBitSumArgs& args);
void count_bits(const CountBitsArgs& args);
void count_pending_bits(BitCounts& counts, const uint64_t* values);
void merge_counts(BitCounts& counts, const BitCounts& others);
void add_weighted_counts(const BitCounts& counts, const double* weights, double* sums);
/// Index of a distance, which is created if there is none.
int32_t slot_of(BitCounts& counts, int64_t distance);
} // namespace reference

} // namespace mneme::kernels
