// SPDX-License-Identifier: MIT

/// Association of few queries with very many rows that are normalised on the way: each row is read once, and no
/// normalised copy of it is kept.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// readout [num_queries, size] = softmax(queries . y^T) . y, where y = (row - its mean) / sqrt(its variance +
/// epsilon), mean and variance over the features of the row; T = float or double, row-major.
///
/// Per query also largest = max of its scores, sum = sum of exp(score - largest): answers of several parts of the rows
/// can be put together. No rows: readout 0, largest = lowest T, sum 0. Weights below 2^-100 of the largest count as 0.
/// A NaN in a query stays in its own answer; a NaN in a row reaches every query.
template <class T> struct NormedAssociationArgs {
  const T*
      queries;   ///< [num_queries, size], times beta; a constant added to all features of one changes nothing
  const T* rows; ///< [num_rows, size]
  T epsilon;     ///< > 0
  T* readout;
  T* largest;
  T* sum;
  int64_t num_queries, num_rows, size;
};

/// Adds the gradient of the queries, and writes that of the rows: with p = exp(queries . y^T - largest) / sum, g =
/// d_readout and shift = g . readout of a query:
///   ds = p o (g . y^T - shift),  d_queries += ds . y,  d_y = ds^T . queries + p^T . g,
///   d_rows = (d_y - mean of d_y - y mean(d_y . y)) / sqrt(variance + epsilon)
/// largest and sum are those of all rows; the rows of a call may be a part of these.
template <class T> struct NormedAssociationGradientArgs {
  const T* queries;
  const T* rows;
  T epsilon;
  const T* largest;   ///< [num_queries]
  const T* sum;       ///< [num_queries]
  const T* d_readout; ///< [num_queries, size]
  const T* shift;     ///< [num_queries]
  T* d_queries;       ///< [num_queries, size]; nullptr: not wanted
  T* d_rows;          ///< [num_rows, size]; nullptr: not wanted
  int64_t num_queries, num_rows, size;
};

/// Single-threaded. The error of a sum grows with the rows of a call: give some thousands at a time.
void normed_association(const NormedAssociationArgs<float>& args);
void normed_association(const NormedAssociationArgs<double>& args);
void normed_association_gradient(const NormedAssociationGradientArgs<float>& args);
void normed_association_gradient(const NormedAssociationGradientArgs<double>& args);

namespace reference { // everything in double
void normed_association(const NormedAssociationArgs<float>& args);
void normed_association(const NormedAssociationArgs<double>& args);
void normed_association_gradient(const NormedAssociationGradientArgs<float>& args);
void normed_association_gradient(const NormedAssociationGradientArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
