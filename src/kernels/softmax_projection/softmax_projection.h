// SPDX-License-Identifier: MIT

/// One associative step with softmax separation in a single streaming pass: no queries x stored matrix is
/// ever kept.
#pragma once

#include <cstdint>

#include "kernels/pair_dropout.h"
#include "kernels/score_mask.h"

namespace mneme::kernels {

/// readout [num_queries, value_size] = softmax(beta * queries . stored^T, masked) . values; T = float or double,
/// row-major.
///   queries [num_queries, size], stored [num_stored, size], values [num_stored, value_size]
/// Per query, both optional (nullptr): largest = max of beta * score, sum = sum of exp(beta * score -
/// largest). Nothing stored or nothing seen: readout 0, largest = lowest T, sum 0. beta finite. Weights below 2^-100 of the
/// largest count as 0. A NaN in a query stays in its own row; a NaN in `stored` or `values` reaches every
/// query.
template <class T> struct SoftmaxProjectionArgs {
  const T* queries;
  const T* stored;
  const T* values;
  T beta;
  T* readout;
  T* largest;
  T* sum;
  int64_t num_queries, num_stored, size, value_size;
  ScoreMask<T> mask = {};
  PairDropout dropout = {}; ///< of the weights; `sum` is that of all
};

/// Single-threaded. The readout of a query does not depend on the other queries of the call.
void softmax_projection(const SoftmaxProjectionArgs<float>& args);
void softmax_projection(const SoftmaxProjectionArgs<double>& args);

namespace reference {
void softmax_projection(const SoftmaxProjectionArgs<float>& args); ///< everything in double
void softmax_projection(const SoftmaxProjectionArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
