// SPDX-License-Identifier: MIT

/// Search for the Hamming radius with the largest value of a function that has one maximum.
#pragma once

#include <cstdint>

namespace mneme::theory {

/// The radius in 0 .. bits with the largest value, found from `start` uphill; the smallest of equal ones.
template <class Value> int64_t climb_to_best_radius(int64_t start, int64_t bits, const Value& value_of) {
  int64_t best = start;
  double value = value_of(start);
  for (const int64_t step : {-1, 1}) {
    for (int64_t next = best + step; next >= 0 && next <= bits; next += step) {
      const double candidate = value_of(next);
      if (!(candidate > value || (step < 0 && candidate == value))) {
        break;
      }
      best = next;
      value = candidate;
    }
  }
  return best;
}

} // namespace mneme::theory
