// SPDX-License-Identifier: MIT

/// Dropout of LEAP's packed projection rows query | focus | key | value, in place. Backward calls it on the
/// gradients, with the same counter-based mask.
///
/// Also    docs/theory/streaming_attention.md, section 5
/// Source  LEAP ("Linear Explainable Attention in Parallel"): dropout on queries, focus, values and focus
///         logits, but not on keys
#pragma once

#include <cstdint>

#include "kernels/philox_dropout.h"

namespace mneme::kernels {

/// A row holds query | focus | key | value of one token; each part holds its heads one after another. With
/// f(c) the dropout factor of a row in column c, N = num_heads head_size and h the head of feature i:
///
///     query_i *= f(i)    focus_i = (focus_i f(N + i)) f(2 N + h)    value_i *= f(3 N + i)
///
/// Keys have no dropout of their own, so the factors of their columns are free: f(2 N + h) is the dropout
/// factor of the focus logit of head h. It multiplies the focus, because the logit is linear in the focus.
///
/// Shapes  rows [num_rows, 4 N], row-major, any size >= 0, no alignment needed; T = float or double
/// Errors  none: the products are exactly those above
template <class T> struct ProjectionDropoutArgs {
  T* rows;
  int64_t num_rows, num_heads, head_size;
  PhiloxDropout dropout; ///< first_query is the position of the first row
};

/// Single-threaded. The result of a row does not depend on the other rows of the call.
void projection_dropout(const ProjectionDropoutArgs<float>& args);
void projection_dropout(const ProjectionDropoutArgs<double>& args);

namespace reference {
void projection_dropout(const ProjectionDropoutArgs<float>& args);
void projection_dropout(const ProjectionDropoutArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
