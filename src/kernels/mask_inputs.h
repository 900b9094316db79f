// SPDX-License-Identifier: MIT

/// Masks for the tests and benchmarks of kernels.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/score_mask.h"
#include "mneme/core/random.h"

namespace mneme::kernels {

enum class MaskKind {
  none,
  key_padding,
  boolean,
  causal,
  additive,
  key_padding_and_boolean,
  key_padding_and_additive
};

constexpr MaskKind kMaskKinds[] = {MaskKind::key_padding,
                                   MaskKind::boolean,
                                   MaskKind::causal,
                                   MaskKind::additive,
                                   MaskKind::key_padding_and_boolean,
                                   MaskKind::key_padding_and_additive};

/// Random mask of a given kind. A third of the patterns and a third of the pairs are masked; for every fifth
/// query all patterns are masked, and for the first ones those from the 21st on. Rows of the attention mask
/// are padded by three elements.
template <class T> struct MaskInputs {
  std::vector<uint8_t> key_padding_mask, attention_mask;
  std::vector<T> attention_bias;
  int64_t stride;

  MaskInputs(MaskKind kind, int64_t queries, int64_t stored) : stride(stored + 3) {
    Random random(77);
    const auto one_in_three = [&] { return static_cast<uint8_t>(random.uniform() < 1.0 / 3); };
    const auto is_excluded = [](int64_t q, int64_t s) { return q % 5 == 3 || s > 3 * q + 20; };
    if (kind == MaskKind::key_padding || kind >= MaskKind::key_padding_and_boolean) {
      key_padding_mask.resize(static_cast<size_t>(std::max<int64_t>(stored, 1))); // never an empty allocation
      for (uint8_t& pattern : key_padding_mask) {
        pattern = one_in_three();
      }
    }
    // No element after the last row, so that the address sanitizer reports reads beyond.
    const auto pairs = static_cast<size_t>(std::max<int64_t>((queries - 1) * stride + stored, 1));
    if (kind == MaskKind::boolean || kind == MaskKind::key_padding_and_boolean || kind == MaskKind::causal) {
      attention_mask.resize(pairs);
      for (int64_t q = 0; q < queries; ++q) {
        for (int64_t s = 0; s < stored; ++s) {
          uint8_t& is_masked = attention_mask[static_cast<size_t>(q * stride + s)];
          if (kind == MaskKind::causal) {
            is_masked = static_cast<uint8_t>(s > q);
          } else {
            is_masked = is_excluded(q, s) ? 1 : one_in_three();
          }
        }
      }
    }
    if (kind == MaskKind::additive || kind == MaskKind::key_padding_and_additive) {
      attention_bias.resize(pairs);
      for (int64_t q = 0; q < queries; ++q) {
        for (int64_t s = 0; s < stored; ++s) {
          const bool is_masked = is_excluded(q, s) || one_in_three() != 0;
          attention_bias[static_cast<size_t>(q * stride + s)] =
              is_masked ? -std::numeric_limits<T>::infinity() : static_cast<T>(random.normal());
        }
      }
    }
  }

  ScoreMask<T> mask() const {
    return {key_padding_mask.empty() ? nullptr : key_padding_mask.data(),
            attention_mask.empty() ? nullptr : attention_mask.data(),
            attention_bias.empty() ? nullptr : attention_bias.data(), stride};
  }
};

} // namespace mneme::kernels
