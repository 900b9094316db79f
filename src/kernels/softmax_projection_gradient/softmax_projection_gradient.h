// SPDX-License-Identifier: MIT

/// The way back through softmax_projection: weights are computed anew, tile by tile, so that no queries x
/// stored matrix is ever kept.
#pragma once

#include <cstdint>

#include "kernels/pair_dropout.h"
#include "kernels/score_mask.h"

namespace mneme::kernels {

/// Adds the gradients of readout = softmax(queries . stored^T, masked) . values; T = float or double, row-major.
///
/// With p = exp(queries . stored^T, masked - largest) / sum and g = d_readout:
///   d_values += (p o z)^T . g,  ds = p o (z o g . values^T - shift),  d_queries += ds . stored,
///   d_stored += ds^T . queries
/// where z are the factors of dropout. `shift` of a query is g . readout. largest and sum are those of all stored patterns, as softmax_projection
/// gives them for beta = 1; the stored patterns of a call may be a part of these. Sum 0: no gradient. Any
/// gradient may be nullptr: not wanted.
template <class T> struct SoftmaxProjectionGradientArgs {
  const T* queries;   ///< [num_queries, size], times beta
  const T* stored;    ///< [num_stored, size]
  const T* values;    ///< [num_stored, value_size]
  const T* largest;   ///< [num_queries]
  const T* sum;       ///< [num_queries]
  const T* d_readout; ///< [num_queries, value_size]
  const T* shift;     ///< [num_queries]
  T* d_queries;       ///< [num_queries, size]: those of queries times beta
  T* d_stored;        ///< [num_stored, size]
  T* d_values;        ///< [num_stored, value_size]
  int64_t num_queries, num_stored, size, value_size;
  ScoreMask<T> mask = {};
  PairDropout dropout = {}; ///< that of the way forward
};

/// Single-threaded.
void softmax_projection_gradient(const SoftmaxProjectionGradientArgs<float>& args);
void softmax_projection_gradient(const SoftmaxProjectionGradientArgs<double>& args);

namespace reference {
void softmax_projection_gradient(const SoftmaxProjectionGradientArgs<float>& args); ///< everything in double
void softmax_projection_gradient(const SoftmaxProjectionGradientArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
