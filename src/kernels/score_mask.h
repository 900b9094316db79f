// SPDX-License-Identifier: MIT

/// Which stored patterns a query sees, as the kernels of softmax take it: padding, and a mask of pairs. Nothing of it is
/// ever expanded.
#pragma once

#include <cstdint>
#include <limits>

namespace mneme::kernels {

/// All of it may be left out. A pair that is not seen has the score -infinity: its weight is exactly 0. What a missing
/// pattern holds is not even read; a NaN in one that is only hidden may still reach other queries (0 * NaN).
template <class T> struct ScoreMask {
  const uint8_t* missing = nullptr; ///< [num_stored], 0 or 1: no query sees this pattern
  const uint8_t* hidden = nullptr;  ///< [num_queries, num_stored], 0 or 1: this query does not see it
  const T* added = nullptr;         ///< [num_queries, num_stored]: to scores times beta; -infinity: not seen
  int64_t stride = 0;               ///< from one query to the next, in `hidden` and `added`

  /// The same for a part of the queries and patterns.
  ScoreMask at(int64_t query, int64_t stored) const {
    const int64_t pair = query * stride + stored;
    return {missing == nullptr ? nullptr : missing + stored, hidden == nullptr ? nullptr : hidden + pair,
            added == nullptr ? nullptr : added + pair, stride};
  }
};

namespace reference {

/// What the score of a pair becomes.
template <class T> double masked(double score, const ScoreMask<T>& mask, int64_t query, int64_t stored) {
  const int64_t pair = query * mask.stride + stored;
  if ((mask.missing != nullptr && mask.missing[stored] != 0) ||
      (mask.hidden != nullptr && mask.hidden[pair] != 0)) {
    return -std::numeric_limits<double>::infinity();
  }
  return mask.added == nullptr ? score : score + static_cast<double>(mask.added[pair]);
}

} // namespace reference
} // namespace mneme::kernels
