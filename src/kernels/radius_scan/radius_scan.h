// SPDX-License-Identifier: MIT

/// Rows within a Hamming radius of each query: their number, indices and distances, without storing all
/// distances.
///
/// A few queries are compared with rows that are read in place, at the speed of memory. Many queries are
/// compared bit-sliced: 64 rows per lane are transposed, so that one word holds one column of 64 rows, and
/// differing bits are added by full adders on whole vectors of rows. Columns are taken in groups of three.
/// The three bits of a query in a group select one of 8 sums of the rows, 2 bits each, which are computed
/// once for all queries. A vector of n columns then takes 0.65 n full adders per query, instead of n
/// exclusive ors, n popcounts and n additions.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// queries [num_queries, words] and stored [num_stored, words]: packed bits with pad bits 0, row-major;
/// limits, counts, min_distances [num_queries]; rows, distances [num_queries, capacity]. Any size >= 0, no
/// alignment needed; words * 64 < 2^30.
struct RadiusScanArgs {
  const uint64_t* queries;
  const uint64_t* stored;
  const int32_t* limits;  ///< largest distance of each query that is selected; negative: none
  int32_t* rows;          ///< first_row + index of the first `capacity` selected rows, ascending
  int32_t* distances;     ///< their distances; may be null
  int64_t* counts;        ///< number of selected rows, also of those beyond the capacity
  int32_t* min_distances; ///< is lowered to the smallest distance of any row; may be null
  int64_t num_queries, num_stored, words, capacity;
  int32_t first_row;
};

/// Single-threaded; selects the CPU target once per call. Bitwise identical to the reference.
void radius_scan(const RadiusScanArgs& args);

namespace reference {
void radius_scan(const RadiusScanArgs& args);
}

} // namespace mneme::kernels
