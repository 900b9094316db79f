// SPDX-License-Identifier: MIT

/// Masks for the tests and benchmarks of kernels.
#pragma once

#include <limits>
#include <vector>

#include "kernels/score_mask.h"
#include "mneme/core/random.h"

namespace mneme::kernels {

enum class MaskKind { none, missing, hidden, causal, added, missing_and_hidden, missing_and_added };

constexpr MaskKind kMaskKinds[] = {MaskKind::missing,
                                   MaskKind::hidden,
                                   MaskKind::causal,
                                   MaskKind::added,
                                   MaskKind::missing_and_hidden,
                                   MaskKind::missing_and_added};

/// A mask of each kind. A third of the patterns is missing, a third of the pairs is not seen, and every fifth query sees
/// nothing at all. Rows lie three numbers further apart than needed.
template <class T> struct MaskInputs {
  std::vector<uint8_t> missing, hidden;
  std::vector<T> added;
  int64_t stride;

  MaskInputs(MaskKind kind, int64_t queries, int64_t stored) : stride(stored + 3) {
    Random random(77);
    const auto one_in_three = [&] { return static_cast<uint8_t>(random.uniform() < 1.0 / 3); };
    if (kind == MaskKind::missing || kind >= MaskKind::missing_and_hidden) {
      missing.resize(static_cast<size_t>(stored + 1)); // never without a place in memory
      for (uint8_t& pattern : missing) {
        pattern = one_in_three();
      }
    }
    const auto pairs = static_cast<size_t>(queries * stride + 1);
    if (kind == MaskKind::hidden || kind == MaskKind::missing_and_hidden || kind == MaskKind::causal) {
      hidden.resize(pairs);
      for (int64_t q = 0; q < queries; ++q) {
        for (int64_t s = 0; s < stored; ++s) {
          hidden[static_cast<size_t>(q * stride + s)] = kind == MaskKind::causal ? static_cast<uint8_t>(s > q)
                                                        : q % 5 == 3             ? 1
                                                                                 : one_in_three();
        }
      }
    }
    if (kind == MaskKind::added || kind == MaskKind::missing_and_added) {
      added.resize(pairs);
      for (int64_t q = 0; q < queries; ++q) {
        for (int64_t s = 0; s < stored; ++s) {
          const bool seen = q % 5 != 3 && one_in_three() == 0;
          added[static_cast<size_t>(q * stride + s)] =
              seen ? static_cast<T>(random.normal()) : -std::numeric_limits<T>::infinity();
        }
      }
    }
  }

  ScoreMask<T> mask() const {
    return {missing.empty() ? nullptr : missing.data(), hidden.empty() ? nullptr : hidden.data(),
            added.empty() ? nullptr : added.data(), stride};
  }
};

} // namespace mneme::kernels
