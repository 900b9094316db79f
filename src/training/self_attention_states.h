// SPDX-License-Identifier: MIT

/// Self-attention over bits with T positions has only 2 T different embeddings, called states here: one per
/// bit value and position. Everything that depends on pairs of positions is computed once per pair of states,
/// independent of the number of samples.
#pragma once

#include <span>
#include <vector>

#include "mneme/training/binary_models.h"

namespace mneme::training {

/// Views of the parameters by name.
template <class Number> struct SelfAttentionParameters {
  std::span<Number> position, token, query, key, value, readout;

  SelfAttentionParameters(std::span<Number> all, int64_t length, int64_t size) {
    const auto take = [&](int64_t count) {
      const auto taken = all.first(static_cast<size_t>(count));
      all = all.subspan(static_cast<size_t>(count));
      return taken;
    };
    position = take(length * size);
    token = take(2 * size);
    query = take(size * size);
    key = take(size * size);
    value = take(size);
    readout = take(length);
  }
};

/// Quantities of all states; the state of a bit at a position has index bit * T + position.
struct SelfAttentionStates {
  std::vector<double> embedded, query, key; ///< [2T, d]
  std::vector<double> value;                ///< [2T]
  std::vector<double> logits;               ///< [2T, 2T], by query and key

  void compute(const SelfAttentionModel& model, const std::vector<double>& parameters);
};

} // namespace mneme::training
