// SPDX-License-Identifier: MIT

/// Dot products between every query and every stored pattern, or sums of squared or absolute differences.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// Term that each feature contributes to a score.
enum class DotTerm { product, squared_difference, absolute_difference };

/// Row-major matrices of T = float or double: queries [num_queries, size], stored [num_stored, size], scores
/// [num_queries, num_stored]. Any size >= 0, no alignment needed. NaN and infinity propagate.
template <class T> struct DotArgs {
  const T* queries;
  const T* stored;
  T* scores;
  int64_t num_queries, num_stored, size;
  DotTerm term = DotTerm::product;
  /// Products are added one feature after the other, with one rounding each where the CPU has fused
  /// multiply-add, in tiles of 256. Up to 256 features, the bits are those of LibTorch's matrix products.
  /// Slower than the usual order; for scores that are rounded to integers.
  bool in_order = false;
};

/// Single-threaded. The score of a pair does not depend on the other queries or patterns of the call.
void dot(const DotArgs<float>& args);
void dot(const DotArgs<double>& args);

namespace reference {
void dot(const DotArgs<float>& args); ///< accumulates in double
void dot(const DotArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
