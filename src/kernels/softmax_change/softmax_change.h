// SPDX-License-Identifier: MIT

/// How far two states of the same queries are apart in what they are associated with: weights of both are computed
/// anew, tile by tile, so that no queries x stored matrix is ever kept.
#pragma once

#include <cstdint>

#include "kernels/score_mask.h"

namespace mneme::kernels {

/// squares [num_queries] = sum over stored of (p_after - p_before)^2, where p = exp(queries . stored^T, masked - largest) / sum
/// of each state; T = float or double, row-major.
///
/// largest and sum are those of all stored patterns, as softmax_projection gives them for beta = 1; the stored patterns
/// of a call may be a part of these. Subtracted before they are squared: what is left has the precision of the weights.
/// A NaN stays in its own row.
template <class T> struct SoftmaxChangeArgs {
  struct State {
    const T* queries; ///< [num_queries, size], times beta
    const T* largest; ///< [num_queries]
    const T* sum;     ///< [num_queries]; 0: nothing is seen, p is 0
  };
  State before, after;
  const T* stored; ///< [num_stored, size]
  double* squares; ///< [num_queries]
  int64_t num_queries, num_stored, size;
  ScoreMask<T> mask = {};
};

/// Single-threaded. What a query gets does not depend on the other queries of the call.
void softmax_change(const SoftmaxChangeArgs<float>& args);
void softmax_change(const SoftmaxChangeArgs<double>& args);

namespace reference {
void softmax_change(const SoftmaxChangeArgs<float>& args); ///< everything in double
void softmax_change(const SoftmaxChangeArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
