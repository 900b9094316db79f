// SPDX-License-Identifier: MIT

/// Key padding mask and attention mask of the softmax kernels, applied tile by tile; never expanded to a mask
/// of all pairs.
#pragma once

#include <cstdint>
#include <limits>

namespace mneme::kernels {

/// Masks of one call; every pointer may be null. A masked pair has the score -infinity, so that its weight is
/// exactly 0. Patterns that the key padding mask excludes are not read. A NaN in a pattern that only the
/// attention mask excludes may still reach other queries (0 * NaN).
template <class T> struct ScoreMask {
  const uint8_t* key_padding_mask = nullptr; ///< [num_stored], 0 or 1; 1: masked for all queries
  const uint8_t* attention_mask = nullptr;   ///< [num_queries, num_stored], 0 or 1; 1: masked
  const T* attention_bias = nullptr;         ///< [num_queries, num_stored], added; -infinity: masked
  int64_t stride = 0;                        ///< between rows of `attention_mask` and of `attention_bias`

  /// Masks of the queries and patterns from (query, stored) on.
  ScoreMask at(int64_t query, int64_t stored) const {
    const int64_t pair = query * stride + stored;
    return {key_padding_mask == nullptr ? nullptr : key_padding_mask + stored,
            attention_mask == nullptr ? nullptr : attention_mask + pair,
            attention_bias == nullptr ? nullptr : attention_bias + pair, stride};
  }
};

namespace reference {

/// Score of a pair after masking.
template <class T> double masked(double score, const ScoreMask<T>& mask, int64_t query, int64_t stored) {
  const int64_t pair = query * mask.stride + stored;
  if ((mask.key_padding_mask != nullptr && mask.key_padding_mask[stored] != 0) ||
      (mask.attention_mask != nullptr && mask.attention_mask[pair] != 0)) {
    return -std::numeric_limits<double>::infinity();
  }
  return mask.attention_bias == nullptr ? score : score + static_cast<double>(mask.attention_bias[pair]);
}

} // namespace reference
} // namespace mneme::kernels
