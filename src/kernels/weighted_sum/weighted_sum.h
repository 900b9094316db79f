// SPDX-License-Identifier: MIT

/// Projection: sums of the values of the stored patterns, weighted by a row of weights per query.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// Accumulates sums [num_queries, value_size] += weights [num_queries, num_stored] . values [num_stored,
/// value_size]; row-major, T = float or double. Rows of `weights` are `weight_stride` numbers apart, so that
/// they can be columns of a wider matrix. Any size >= 0. A row of values whose weights are all 0 may be
/// skipped: NaN and infinity in it then do not propagate.
template <class T> struct WeightedSumArgs {
  const T* weights;
  const T* values;
  T* sums;
  int64_t num_queries, num_stored, value_size, weight_stride;
  int64_t value_stride = 0; ///< between rows of values and between rows of sums; 0: value_size

  int64_t row_stride() const { return value_stride > 0 ? value_stride : value_size; }
};

/// The values of so many stored patterns are added first, and their sum then to `sums`. A call for a part of
/// the patterns that starts and ends at multiples of it continues the same chain of additions.
constexpr int64_t kWeightedSumTile = 64;

/// Single-threaded. The sums of a query do not depend on the other queries of the call.
void weighted_sum(const WeightedSumArgs<float>& args);
void weighted_sum(const WeightedSumArgs<double>& args);

namespace reference {
void weighted_sum(const WeightedSumArgs<float>& args); ///< accumulates in double
void weighted_sum(const WeightedSumArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
