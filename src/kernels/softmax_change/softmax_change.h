// SPDX-License-Identifier: MIT

/// Exact change of the attention weights between two states of the same queries. Recomputes the weights of
/// both states tile by tile, so that the weights [num_queries, num_stored] are never stored.
///
/// Also    docs/theory/streaming_attention.md, section 8
#pragma once

#include <cstdint>

#include "kernels/score_mask.h"

namespace mneme::kernels {

/// squares [num_queries] = sum over the stored patterns of (P_after - P_before)^2, with
/// P = exp(mask(queries . stored^T) - row_max) / row_sum of each state; T = float or double, row-major.
///
/// row_max and row_sum are those of all stored patterns, as softmax_projection returns them for beta = 1. The
/// stored patterns of a call may be a chunk of them; results of chunks add up.
///
/// Errors  weights are subtracted before they are squared, so that the change has the absolute precision of
///         the weights; the expansion into three sums of squares would lose it. A NaN stays in its row
template <class T> struct SoftmaxChangeArgs {
  struct State {
    const T* queries; ///< [num_queries, size], times beta
    const T* row_max; ///< [num_queries]
    const T* row_sum; ///< [num_queries]; 0: fully masked, all weights are 0
  };
  State before, after;
  const T* stored; ///< [num_stored, size]
  double* squares; ///< [num_queries]
  int64_t num_queries, num_stored, size;
  ScoreMask<T> mask = {};
};

/// Single-threaded. The result of a query does not depend on the other queries of the call.
void softmax_change(const SoftmaxChangeArgs<float>& args);
void softmax_change(const SoftmaxChangeArgs<double>& args);

namespace reference {
void softmax_change(const SoftmaxChangeArgs<float>& args); ///< computes in double
void softmax_change(const SoftmaxChangeArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
