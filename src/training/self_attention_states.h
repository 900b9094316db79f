// SPDX-License-Identifier: MIT

/// A bit is 0 or 1, so at T places there are but 2 T different embeddings. Everything that depends on pairs of
/// places is computed once per pair of these states, whatever the number of samples.
#pragma once

#include <span>
#include <vector>

#include "mneme/training/binary_models.h"

namespace mneme::training {

/// The parameters by name.
template <class Number> struct SelfAttentionParts {
  std::span<Number> place, token, query, key, value, readout;

  SelfAttentionParts(std::span<Number> all, int64_t length, int64_t size) {
    const auto take = [&](int64_t count) {
      const auto part = all.first(static_cast<size_t>(count));
      all = all.subspan(static_cast<size_t>(count));
      return part;
    };
    place = take(length * size);
    token = take(2 * size);
    query = take(size * size);
    key = take(size * size);
    value = take(size);
    readout = take(length);
  }
};

/// State a = bit * T + place.
struct SelfAttentionStates {
  std::vector<double> embedded, query, key; ///< [2T, d]
  std::vector<double> value;                ///< [2T]
  std::vector<double> logits;               ///< [2T, 2T], by query and key

  void compute(const SelfAttentionModel& model, const std::vector<double>& parameters);
};

} // namespace mneme::training
