// SPDX-License-Identifier: MIT

/// Projection: adds up the values of the stored patterns, each with its weight.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// sums [num_queries, value_size] += weights [num_queries, num_stored] . values [num_stored, value_size]; T =
/// float or double. Rows of weights lie `weight_stride` apart, so a block of columns of a larger matrix can
/// be given. Any size >= 0.
template <class T> struct WeightedSumArgs {
  const T* weights;
  const T* values;
  T* sums;
  int64_t num_queries, num_stored, value_size, weight_stride;
};

/// Single-threaded. The sums of a query do not depend on the other queries of the call.
void weighted_sum(const WeightedSumArgs<float>& args);
void weighted_sum(const WeightedSumArgs<double>& args);

namespace reference {
void weighted_sum(const WeightedSumArgs<float>& args); ///< summed in double
void weighted_sum(const WeightedSumArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
