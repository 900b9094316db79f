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
template <class T> struct RowAttentionArgs {
  StridedRows<const T> queries, stored, values;
  T beta;
  StridedRows<T> readout;
  T *row_max, *row_sum;        ///< nullptr: not returned
  StridedRows<T> weights = {}; ///< [num_queries, num_stored], before dropout; null: not returned
  int64_t num_queries, num_stored, size, value_size;
  ScoreMask<T> mask = {};
  PhiloxDropout dropout = {};
  T* workspace; ///< row_attention_workspace() elements, aligned to 64 bytes
};

/// Backward pass of row_attention, as softmax_projection_gradient defines it. Recomputes the weights.
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
  T* workspace; ///< row_attention_workspace() elements, aligned to 64 bytes
};

/// Queries whose scores are in the buffer at the same time: as many as keep both buffers in the L2 cache.
inline int64_t row_attention_block(int64_t num_queries, int64_t num_stored) {
  constexpr int64_t kScores = 16384, kMin = 4, kMax = 64;
  return std::min(std::max<int64_t>(num_queries, 1),
                  std::clamp(kScores / std::max<int64_t>(num_stored, 1) / kMin * kMin, kMin, kMax));
}

/// Elements of `workspace`: two buffers of scores, and random words of a row.
inline int64_t row_attention_workspace(int64_t num_queries, int64_t num_stored) {
  constexpr int64_t kPadding = 64; // at least a vector of any target, twice
  const int64_t row = (num_stored + 2 * kPadding) / kPadding * kPadding;
  return (2 * row_attention_block(num_queries, num_stored) + 2) * row;
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
