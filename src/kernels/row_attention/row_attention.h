// SPDX-License-Identifier: MIT

/// Softmax attention with the scores of a query in one row of a buffer: for few queries or few stored
/// patterns, where softmax_projection, with a query per SIMD lane, would leave lanes unused or mostly
/// transpose. Queries, stored patterns, values and readouts are read and written in place, with any distance
/// between rows, such as those of one head in a matrix of all heads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/philox_dropout.h"
#include "kernels/score_mask.h"

namespace mneme::kernels {

/// Matrix whose rows are contiguous and `stride` elements apart. `data` may be null where noted.
template <class T> struct StridedRows {
  T* data = nullptr;
  int64_t stride = 0;

  T* row(int64_t index) const { return data + index * stride; }
};

/// readout = dropout(softmax(mask(beta * queries . stored^T))) . values
///
/// Shapes  queries [num_queries, size], stored [num_stored, size], values [num_stored, value_size]
///         -> readout [num_queries, value_size], row_max and row_sum [num_queries]; T = float or double
/// Units   beta is the inverse temperature, any finite number
/// Errors  as softmax_projection, whose results these are up to rounding
///
/// transposes_stored: the scores of a query are computed with stored patterns as lanes, from a transposed
/// copy, instead of with elements of patterns as lanes. A caller that divides the queries into parts decides
/// for all of them: the bits differ.
template <class T> struct RowAttentionArgs {
  StridedRows<const T> queries, stored, values;
  T beta;
  StridedRows<T> readout;
  T *row_max, *row_sum;        ///< nullptr: not returned
  StridedRows<T> weights = {}; ///< [num_queries, num_stored], before dropout; null: not returned
  int64_t num_queries, num_stored, size, value_size;
  ScoreMask<T> mask = {};
  PhiloxDropout dropout = {};
  bool transposes_stored = false;
  T* workspace; ///< row_attention_workspace() elements, aligned to 64 bytes
};

/// Backward pass of row_attention, as softmax_projection_gradient defines it. Recomputes the weights.
///
/// transposes_stored, transposes_values: as of RowAttentionArgs, for what concerns either.
template <class T> struct RowAttentionGradientArgs {
  StridedRows<const T> queries, stored, values, readout, d_readout;
  T beta;
  const T *row_max, *row_sum;        ///< of all stored patterns, of which those of a call may be a chunk
  StridedRows<T> d_queries;          ///< overwritten; null: not computed
  StridedRows<T> d_stored, d_values; ///< null: not computed
  bool adds;                         ///< to d_stored and d_values; false: they are overwritten
  int64_t num_queries, num_stored, size, value_size;
  ScoreMask<T> mask = {};
  PhiloxDropout dropout = {};
  bool transposes_stored = false, transposes_values = false;
  T* workspace; ///< row_attention_workspace() elements, aligned to 64 bytes
};

/// Whether products of queries and stored patterns of `size` numbers take less time with stored patterns as
/// lanes, by the number of instructions on AVX-512. It depends on sizes alone.
template <class T> bool is_transposing_faster(int64_t num_queries, int64_t num_stored, int64_t size) {
  constexpr int64_t kLanes = 64 / sizeof(T);
  constexpr int64_t kMaxNumbers = 1 << 17; // of a copy, which is read for each block of queries
  const auto vectors = [](int64_t count) { return (count + kLanes - 1) / kLanes; };
  // Quarters of instructions per query: a tile of 4 queries and 4 stored patterns, whose 16 sums are added
  // across lanes; a vector of stored patterns for an element of 4 queries. Then those that copy a number.
  const int64_t by_tiles = (num_stored + 3) / 4 * (24 * vectors(size) + 40),
                by_lanes = 5 * size * vectors(num_stored), copying = 6 * size * vectors(num_stored) * kLanes;
  return size * num_stored <= kMaxNumbers && num_queries * (by_tiles - by_lanes) > copying;
}

/// Queries whose scores are in the buffer at the same time: as many as keep both buffers in the L2 cache.
inline int64_t row_attention_block(int64_t num_queries, int64_t num_stored) {
  constexpr int64_t kScores = 16384, kMin = 4, kMax = 64;
  return std::min(std::max<int64_t>(num_queries, 1),
                  std::clamp(kScores / std::max<int64_t>(num_stored, 1) / kMin * kMin, kMin, kMax));
}

/// Elements of `workspace`: two buffers of scores, random words of a row, and transposed copies of
/// `transposed` columns (those of what is transposed; in a backward pass twice as many, for gradients).
inline int64_t row_attention_workspace(int64_t num_queries, int64_t num_stored, int64_t transposed) {
  constexpr int64_t kPadding = 64; // at least a vector of any target, twice
  const int64_t row = (num_stored + 2 * kPadding) / kPadding * kPadding;
  return (2 * row_attention_block(num_queries, num_stored) + 2 + transposed) * row;
}

/// Single-threaded. The readout of a query does not depend on the other queries of the call.
void row_attention(const RowAttentionArgs<float>& args);
void row_attention(const RowAttentionArgs<double>& args);
void row_attention_gradient(const RowAttentionGradientArgs<float>& args);
void row_attention_gradient(const RowAttentionGradientArgs<double>& args);

namespace reference {
void row_attention(const RowAttentionArgs<float>& args); ///< computes in double
void row_attention(const RowAttentionArgs<double>& args);
void row_attention_gradient(const RowAttentionGradientArgs<float>& args); ///< computes in double
void row_attention_gradient(const RowAttentionGradientArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
