// SPDX-License-Identifier: MIT

/// Search for the Hamming radius with the largest value of a function that has one maximum.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mneme/core/interrupt.h"

namespace mneme::theory {

/// The radius in 0 .. bits with the largest value, found from `start` uphill; the smallest of equal ones.
///
/// Errors  Interrupted; as `value_of`
/// Cost    about 2 log2(d) values if the maximum is d radii away
template <class Value> int64_t climb_to_best_radius(int64_t start, int64_t bits, const Value& value_of) {
  int64_t best = start;
  for (const int64_t step : {-1, 1}) {
    const int64_t end = step < 0 ? 0 : bits;
    const double start_value = value_of(best);
    /// Whether the next radius in this direction is better than `radius`. Far from the maximum all values can
    /// be the same, such as 0.
    const auto is_uphill = [&](int64_t radius) {
      throw_if_interrupted();
      if (radius == end) {
        return false;
      }
      const double here = value_of(radius), next = value_of(radius + step);
      return here >= start_value && (next > here || (step < 0 && next == here));
    };
    const auto moved = [&](int64_t by) { return std::clamp<int64_t>(best + by * step, 0, bits); };
    if (!is_uphill(best)) {
      continue;
    }
    int64_t stride = 1;
    while (is_uphill(moved(stride))) {
      stride *= 2;
    }
    int64_t uphill = stride / 2, top = stride; // uphill at the first, not at the second
    while (top - uphill > 1) {
      const int64_t middle = uphill + (top - uphill) / 2;
      (is_uphill(moved(middle)) ? uphill : top) = middle;
    }
    best = moved(top);
  }
  return best;
}

} // namespace mneme::theory
