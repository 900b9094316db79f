// SPDX-License-Identifier: MIT

/// Product of rows with an int8 matrix that has one scale per row: forward pass of a linear layer with
/// quantised weights.
///
/// The rows are quantised to 15 bits and a scale each first, so that all sums are sums of integers: exact,
/// and therefore the same for every order, CPU target and division among threads. The error of 15 bits is
/// small compared with that of 8 bits.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// Largest absolute values of quantised numbers: symmetric, without -128 and -16384.
constexpr int32_t kInt8Max = 127, kInt15Max = 16383;

/// The sum of this many products, whatever their order, is below 2^31: 1024 x 127 x 16383 = 2^31 - 16 907
/// 264.
constexpr int64_t kInnerPerInt32 = 1024;

/// Rows whose numbers are all smaller have a scale of 0: the inverse of the scale would not be finite.
constexpr float kMinRowMax = 1e-30F;

/// Bytes of the scale that follows the numbers of a row of an int8 matrix.
constexpr int64_t kInt8ScaleBytes = sizeof(float);

/// quantised[i][k] = round(x[i][k] / scale[i]), to even where two integers are equally near, with
/// scale[i] = max_k |x[i][k]| / kInt15Max.
///
/// Shapes  x [rows, inner], rows x_row elements apart -> quantised [rows, inner], scales [rows]; sizes >= 0,
///         no alignment needed
/// A row with NaN or infinity has the scale NaN and quantised numbers of 0.
struct QuantiseRowsArgs {
  const float* x;
  int64_t x_row;
  int16_t* quantised;
  float* scales;
  int64_t rows, inner;
};

/// Single-threaded.
void quantise_rows(const QuantiseRowsArgs& args);

/// out[i][j] = a_scales[i] * b_scale[j] * sum_k a[i][k] * b[j][k] (+ bias[j]), rounded once to float.
///
/// Shapes  a [rows, inner] and a_scales [rows] from quantise_rows; b [columns, inner + kInt8ScaleBytes]: each
///         row has its numbers, -kInt8Max to kInt8Max, and then the bytes of its float scale; bias [columns]
///         or nullptr -> out [rows, columns], whose rows are out_row elements apart. Any size >= 0, no
///         alignment needed; out does not overlap the others
/// Errors  The product of the quantised numbers is exact: it has two roundings of a double and one of a
///         float. A row whose scale is NaN becomes NaN
struct Int8LinearArgs {
  const int16_t* a;
  const float* a_scales;
  const int8_t* b;
  float* out;
  int64_t out_row;
  int64_t rows, columns, inner;
  const float* bias = nullptr; ///< nullptr: none
};

/// Single-threaded.
void int8_linear(const Int8LinearArgs& args);

namespace reference {
void quantise_rows(const QuantiseRowsArgs& args);
void int8_linear(const Int8LinearArgs& args);
} // namespace reference

} // namespace mneme::kernels
