// SPDX-License-Identifier: MIT

/// Matrix product of float32 matrices whose elements are rounded to bfloat16, with sums in float32: the
/// products of a linear layer in mixed precision.
#pragma once

#include "kernels/linear/linear.h"

namespace mneme::kernels {

/// out = bfloat16(a) . bfloat16(b) (+ bias) (+ out). Rounds to nearest, ties to even, while a and b are
/// packed; bias and out stay float32.
///
/// Shapes  as `linear`
/// Errors  of an element, compared with the product of rounded elements: at most min(inner, kInnerPerSum) +
///         inner / kInnerPerSum + 3 roundings of the sum of its absolute terms; elements and sums below
///         1.2e-38 may count as 0. NaN and infinity propagate
///
/// Single-threaded. As in `linear`, bits of an element of out do not depend on the other elements. CPUs
/// without instructions for bfloat16 (has_bfloat16_products) give the same bits, slower than `linear`.
void bfloat16_linear(const LinearArgs<float>& args);

namespace reference {
void bfloat16_linear(const LinearArgs<float>& args); ///< accumulates in double
} // namespace reference

} // namespace mneme::kernels
