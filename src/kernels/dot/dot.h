// SPDX-License-Identifier: MIT

/// Dot products between every query and every stored pattern.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// queries [num_queries, size], stored [num_stored, size], scores [num_queries, num_stored]; row-major, T =
/// float or double. Any size >= 0, no alignment needed. NaN and infinity go where arithmetic takes them.
template <class T> struct DotArgs {
  const T* queries;
  const T* stored;
  T* scores;
  int64_t num_queries, num_stored, size;
};

/// Single-threaded. The score of a pair does not depend on the other queries or patterns of the call.
void dot(const DotArgs<float>& args);
void dot(const DotArgs<double>& args);

namespace reference {
void dot(const DotArgs<float>& args); ///< summed in double
void dot(const DotArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
