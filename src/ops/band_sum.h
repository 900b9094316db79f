// SPDX-License-Identifier: MIT

/// Sums along a sequence where every reader sees a window of the past: LibTorch on any device, in time linear in
/// the length for every window, without differences of long sums.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// Reader i sees tokens j = max(0, i - window + 1) .. i with the weight
/// exp(log_weight_j - reference_i - decay * (i - j)), which must be <= 1 wherever it is seen or <= 1 in the
/// transposed sum; parts left undefined count as 0.
struct Band {
  int64_t window = 1;    ///< in tokens, >= 1
  at::Tensor log_weight; ///< [G, T], of the tokens
  at::Tensor reference;  ///< [G, T], of the readers
  at::Tensor decay;      ///< [G], >= 0
  /// [G, T, D] both, or none: weights are also multiplied by query_i . key_j, which may have any sign.
  at::Tensor query, key;
};

/// What every reader sees: sums_i = sum of weight_ij * rows_j. Rows [G, T, R] of any sign, T >= 1.
at::Tensor sums_of_tokens(const at::Tensor& rows, const Band& band);

/// The same for the last `count` readers alone, whose weights are written out: cheap for few.
at::Tensor sums_of_last_readers(const at::Tensor& rows, const Band& band, int64_t count);

/// The transpose: sums_j = sum over the readers i of token j of weight_ij * rows_i.
at::Tensor sums_of_readers(const at::Tensor& rows, const Band& band);

/// The largest log_weight_j - decay * (i - j) in the window of every reader [G, T], at least kLeastReference.
at::Tensor largest_in_window(const Band& band);

/// Stands for a window in which nothing has a weight: exp(-kLeastReference) is infinite in every type.
constexpr double kLeastReference = -1e30;

} // namespace mneme::ops
