// SPDX-License-Identifier: MIT

/// Softmax attention of few queries over many rows, with the layer norm of the rows folded into the sums:
/// every row is read once, and no normalised copy of it is stored.
///
/// Also    docs/theory/streaming_attention.md, section 7
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// readout [num_queries, size] = softmax(queries . Y^T) . Y, where Y are the normalised rows,
/// y = (row - mean) / sqrt(variance + epsilon), with mean and variance over the features of a row; T = float
/// or double, row-major.
///
/// The softmax statistics row_max = max of the scores and row_sum = sum of exp(score - row_max) of every
/// query are returned as well, so that readouts over disjoint chunks of rows can be merged exactly.
///
/// Errors  without rows, readout and row_sum are 0 and row_max is the lowest T. Weights below 2^-100 of the
///         largest count as 0. A NaN in a query stays in its readout; a NaN in a row reaches every query
template <class T> struct NormedAssociationArgs {
  /// [num_queries, size], times beta. Adding a constant to all features of a query changes nothing.
  const T* queries;
  const T* rows; ///< [num_rows, size]
  T epsilon;     ///< > 0
  T* readout;
  T* row_max;
  T* row_sum;
  int64_t num_queries, num_rows, size;
};

/// Backward pass: adds the gradient of the queries and writes that of the rows.
///
///     P          = exp(queries . Y^T - row_max) / row_sum
///     dS         = P o (d_readout . Y^T - delta),    delta = row sum of d_readout o readout
///     d_queries += dS . Y
///     dY         = dS^T . queries + P^T . d_readout
///     d_rows     = (dY - mean(dY) - y mean(dY o y)) / sqrt(variance + epsilon), means over the features of a
///     row
///
/// row_max and row_sum are those of all rows; the rows of a call may be a chunk of them.
template <class T> struct NormedAssociationGradientArgs {
  const T* queries;
  const T* rows;
  T epsilon;
  const T* row_max;   ///< [num_queries]
  const T* row_sum;   ///< [num_queries]
  const T* d_readout; ///< [num_queries, size]
  const T* delta;     ///< [num_queries]
  T* d_queries;       ///< [num_queries, size]; nullptr: not computed
  T* d_rows;          ///< [num_rows, size]; nullptr: not computed
  int64_t num_queries, num_rows, size;
};

/// Single-threaded. The error of a sum grows with the number of rows of a call: pass chunks of some thousand
/// rows and merge them in double.
void normed_association(const NormedAssociationArgs<float>& args);
void normed_association(const NormedAssociationArgs<double>& args);
void normed_association_gradient(const NormedAssociationGradientArgs<float>& args);
void normed_association_gradient(const NormedAssociationGradientArgs<double>& args);

namespace reference { // computes in double
void normed_association(const NormedAssociationArgs<float>& args);
void normed_association(const NormedAssociationArgs<double>& args);
void normed_association_gradient(const NormedAssociationGradientArgs<float>& args);
void normed_association_gradient(const NormedAssociationGradientArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
