// SPDX-License-Identifier: MIT

/// Softmax attention in one streaming pass over the stored patterns (online softmax): similarity, softmax
/// separation and projection of one associative step. The weights [num_queries, num_stored] are never stored.
///
/// Also    docs/theory/streaming_attention.md, sections 2 and 3
#pragma once

#include <cstdint>

#include "kernels/philox_dropout.h"
#include "kernels/score_mask.h"

namespace mneme::kernels {

/// readout = dropout(softmax(mask(beta * queries . stored^T))) . values
///
/// Besides the readout, the kernel returns the softmax statistics of every query, row_max = max of the masked
/// scores and row_sum = sum of exp(score - row_max). With them, readouts over disjoint sets of stored
/// patterns can be merged exactly, and backward recomputes the weights.
///
/// Shapes  queries [num_queries, size], stored [num_stored, size], values [num_stored, value_size]
///         -> readout [num_queries, value_size], row_max and row_sum [num_queries]; row-major, any size >= 0,
///         no alignment needed; T = float or double
/// Units   beta is the inverse temperature, any finite number
/// Errors  weights below 2^-100 of the largest count as 0. Without an unmasked pattern a query gets readout
///         0, row_max = lowest T and row_sum 0. A NaN in a query stays in its row; a NaN in `stored` or
///         `values` reaches every query
template <class T> struct SoftmaxProjectionArgs {
  const T* queries;
  const T* stored;
  const T* values;
  T beta;
  T* readout;
  T* row_max; ///< nullptr: not returned
  T* row_sum; ///< nullptr: not returned
  int64_t num_queries, num_stored, size, value_size;
  ScoreMask<T> mask = {};
  PhiloxDropout dropout = {}; ///< of the weights; row_sum is the sum of all weights, dropped ones included
};

/// Single-threaded. The readout of a query does not depend on the other queries of the call.
void softmax_projection(const SoftmaxProjectionArgs<float>& args);
void softmax_projection(const SoftmaxProjectionArgs<double>& args);

namespace reference {
void softmax_projection(const SoftmaxProjectionArgs<float>& args); ///< computes in double
void softmax_projection(const SoftmaxProjectionArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
