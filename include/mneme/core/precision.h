// SPDX-License-Identifier: MIT

/// Floating-point types of a computation.
#pragma once

namespace mneme {

enum class Precision { float64, float32 };

/// Numbers that the products of float32 linear layers multiply. Inputs, weights, outputs and sums are float32
/// in both.
enum class ProductPrecision {
  float32,
  /// Both factors are rounded to bfloat16, which has 8 significant bits: up to twice as fast on CPUs with
  /// instructions for it, and slower on others, with the same bits.
  /// torch.set_float32_matmul_precision("medium") does the same. Sums over rows, such as the gradient of a
  /// bias, are not rounded.
  bfloat16,
};

} // namespace mneme
