// SPDX-License-Identifier: MIT

/// Backward pass of softmax_projection. Recomputes the weights tile by tile from the saved row_max and
/// row_sum, so that the weights [num_queries, num_stored] are never stored.
///
/// Also    docs/theory/streaming_attention.md, section 6
#pragma once

#include <cstdint>

#include "kernels/philox_dropout.h"
#include "kernels/score_mask.h"

namespace mneme::kernels {

/// Adds the gradients of readout = dropout(softmax(mask(queries . stored^T))) . values to d_queries, d_stored
/// and d_values.
///
/// With P = exp(mask(queries . stored^T) - row_max) / row_sum and Z the dropout factors (0 or keep_scale):
///
///     d_values  += (P o Z)^T . d_readout
///     dS         = P o (Z o (d_readout . values^T) - delta),    delta = row sum of d_readout o readout
///     d_queries += dS . stored
///     d_stored  += dS^T . queries
///
/// row_max and row_sum are those of all stored patterns, as softmax_projection returns them for beta = 1. The
/// stored patterns of a call may be a chunk of them; gradients of chunks add up. A query with row_sum 0 has
/// no gradient.
template <class T> struct SoftmaxProjectionGradientArgs {
  const T* queries;   ///< [num_queries, size], times beta
  const T* stored;    ///< [num_stored, size]
  const T* values;    ///< [num_stored, value_size]
  const T* row_max;   ///< [num_queries]
  const T* row_sum;   ///< [num_queries]
  const T* d_readout; ///< [num_queries, value_size]
  const T* delta;     ///< [num_queries]
  T* d_queries;       ///< [num_queries, size], gradient of the scaled queries; nullptr: not computed
  T* d_stored;        ///< [num_stored, size]; nullptr: not computed
  T* d_values;        ///< [num_stored, value_size]; nullptr: not computed
  int64_t num_queries, num_stored, size, value_size;
  ScoreMask<T> mask = {};
  PhiloxDropout dropout = {}; ///< that of forward
};

/// Single-threaded.
void softmax_projection_gradient(const SoftmaxProjectionGradientArgs<float>& args);
void softmax_projection_gradient(const SoftmaxProjectionGradientArgs<double>& args);

namespace reference {
void softmax_projection_gradient(const SoftmaxProjectionGradientArgs<float>& args); ///< computes in double
void softmax_projection_gradient(const SoftmaxProjectionGradientArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
