// SPDX-License-Identifier: MIT

/// Dropout of what LEAP compares: in place, and again, by counter, of its gradients.
///
/// Source  LEAP ("Linear Explainable Attention in Parallel"): queries, focus, values and focus logits are dropped, keys
///         are not
#pragma once

#include <cstdint>

#include "kernels/pair_dropout.h"

namespace mneme::kernels {

/// Rows are query | focus | key | value of a token, each of its heads side by side. With f(c) the factor of `dropout` for
/// a row and column c, N = num_heads head_size, and h the head of a number:
///
///     query_i *= f(i)    focus_i = (focus_i f(N + i)) f(2 N + h)    value_i *= f(3 N + i)
///
/// so that f(2 N + h) is what multiplies the focus logit.
///
/// Shapes  rows [num_rows, 4 N], row-major, any size >= 0, no alignment needed; T = float or double
/// Errors  none: exactly these products
template <class T> struct PartDropoutArgs {
  T* rows;
  int64_t num_rows, num_heads, head_size;
  PairDropout dropout; ///< first_query is that of the first row
};

/// Single-threaded. What becomes of a row does not depend on the other rows of the call.
void part_dropout(const PartDropoutArgs<float>& args);
void part_dropout(const PartDropoutArgs<double>& args);

namespace reference {
void part_dropout(const PartDropoutArgs<float>& args);
void part_dropout(const PartDropoutArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
