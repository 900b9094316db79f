// SPDX-License-Identifier: MIT

/// Rows within a Hamming radius of each query: their number, indices and distances, without storing all
/// distances.
///
/// A few queries are compared with rows that are read in place, at the speed of memory, and some more with
/// rows that are interleaved, one per lane, so that no count is summed across lanes. CPUs that count bits
/// fast (has_fast_popcount) compare any number of queries that way. On others, many queries are compared
/// bit-sliced: 64 rows per lane are transposed, so that one word holds one column of 64 rows, and bits are
/// added by adders on whole vectors of rows. There are two ways:
///
/// - With ternary instructions (AVX-512), columns are taken in groups of three. The three bits of a query
///   select one of 8 sums of the rows for a group, 2 bits each, which are computed once for all queries. A
///   vector of n columns then takes 0.65 n full adders per query, instead of n exclusive ors, n popcounts and
///   n additions.
/// - Without them, where a full adder takes 5 instructions and not 2, only the columns are added in which two
///   queries differ. Let c_q be the number of ones that a row shares with query q. Their distance is
///   ones(row) + ones(q) - 2 c_q, and c_q = c_p + the row's ones in columns of q that p lacks - those in
///   columns of p that q lacks. Every query starts from the predecessor that differs in the fewest columns: a
///   vector without ones (whose distances are ones(row)), one without zeros, or another query. Independent
///   random queries take n / 2 columns; cues of the same pattern take few.
#pragma once

#include <cstdint>
#include <vector>

namespace mneme::kernels {

/// Queries as lists of columns. Preparing takes about as long as comparing a query with 512 rows, so it is
/// done once for queries that are compared with many rows.
struct RadiusQueries {
  static constexpr int32_t kNoOnes = -1, kNoZeros = -2; ///< predecessors that are not queries
  static constexpr int64_t kQueriesPerGroup = 128;      ///< a predecessor is in the same group
  static constexpr int64_t kColumnsPerBlock = 16;
  struct Query {
    int32_t predecessor; ///< index of a query, or one of the constants above
    int32_t ones;
    int64_t
        begin; ///< of its columns: those that only the query has, then those that only the predecessor has
    int32_t added_blocks, removed_blocks;
  };
  std::vector<Query> queries; ///< empty if this CPU target does not use lists
  std::vector<int32_t> order; ///< in which queries follow their predecessors; group after group
  /// kWordsPerColumn times the number of a column, in whole blocks; filled with column 64 words, which is 0.
  std::vector<uint16_t> columns;
  int32_t max_ones = 0;
};

/// queries [num_queries, words] as in RadiusScanArgs. Predecessors are searched among the queries if they are
/// compared with enough of the num_stored rows to pay for it.
RadiusQueries prepare_radius_queries(const uint64_t* queries, int64_t num_queries, int64_t words,
                                     int64_t num_stored);

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
  /// The queries, prepared, or null. They may be part of a larger set, from query first_prepared on, which is
  /// a multiple of kQueriesPerGroup.
  const RadiusQueries* prepared = nullptr;
  int64_t first_prepared = 0;
  int64_t sliced_from =
      0; ///< queries from which columns are added, if there is a choice; 0: chosen by the CPU
};

/// Single-threaded; selects the CPU target once per call. Bitwise identical to the reference.
void radius_scan(const RadiusScanArgs& args);

namespace reference {
void radius_scan(const RadiusScanArgs& args);
}

} // namespace mneme::kernels
