// SPDX-License-Identifier: MIT

/// Matrix product of strided matrices with optional bias: forward pass, input gradient and weight gradient of
/// a linear layer.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// out = a . b (+ bias) (+ out), T = float or double.
///
/// Shapes  a [rows, inner], b [inner, columns], bias [columns] -> out [rows, columns]; any size >= 0, no
///         alignment needed, out does not overlap the others. Elements of a row of out are adjacent; rows are
///         out_row elements apart. a and b have any strides, in elements: a[i][k] is a[i * a_row + k *
///         a_inner], b[k][j] is b[k * b_inner + j * b_column].
///
///             forward          x [M, K], weight [N, K]:  a = x, strides K, 1;  b = weight, strides 1, K
///             input gradient   g [M, N], weight [N, K]:  a = g, strides N, 1;  b = weight, strides K, 1
///             weight gradient  g [M, N], x [M, K]:       a = g, strides 1, N;  b = x, strides K, 1
///
/// few_rows: products are summed in another order, with inner elements as lanes, which is faster for a few
/// rows of a and long columns of b. Elements of rows of a, and of columns of b, must be adjacent.
/// Errors  of an element: at most min(inner, kInnerPerSum) + inner / kInnerPerSum + 3 roundings of the sum of
///         its absolute terms. NaN and infinity propagate
template <class T> struct LinearArgs {
  const T* a;
  int64_t a_row, a_inner;
  const T* b;
  int64_t b_inner, b_column;
  T* out;
  int64_t out_row;
  int64_t rows, columns, inner;
  const T* bias = nullptr; ///< nullptr: none
  bool accumulate = false; ///< adds to out instead of overwriting it
  bool few_rows = false;   ///< requires a_inner = 1 and b_inner = 1
};

/// Without few_rows, products are summed in order within blocks of this many, and the sums of blocks are
/// added in order.
constexpr int64_t kInnerPerSum = 256;

/// Whether few_rows is allowed, and faster. It depends on sizes alone. A caller that divides a product into
/// parts decides for the entire product: the bits differ.
template <class T> bool is_few_rows(const LinearArgs<T>& args) {
  return args.a_inner == 1 && args.b_inner == 1 &&
         (args.rows == 1 || (args.rows <= 4 && args.inner >= 48) || (args.rows <= 16 && args.inner >= 96));
}

/// Single-threaded. An element of out depends only on its row of a, its column of b, its bias, its previous
/// value and `few_rows`: its bits are the same whichever rows and columns a call computes with it.
void linear(const LinearArgs<float>& args);
void linear(const LinearArgs<double>& args);

namespace reference {
void linear(const LinearArgs<float>& args); ///< accumulates in double
void linear(const LinearArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
