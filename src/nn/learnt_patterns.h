// SPDX-License-Identifier: MIT

/// Patterns that a layer learns itself: the state patterns of pooling, the stored patterns of lookup.
#pragma once

#include "mneme/nn/hopfield.h"

namespace mneme::nn {

struct LearntPatterns {
  const char* layer;
  const HopfieldOptions& options;
  int64_t quantity;

  /// The size d of the association space where the patterns are static, else `size`.
  /// Errors  UsageError if the quantity or the size is missing or < 1
  int64_t features(bool is_static, std::optional<int64_t> size) const;
  /// [1, quantity, features] or length first, drawn.
  at::Tensor made(int64_t features) const;
  /// Normal numbers of standard deviation 0.02.
  static void draw(at::Tensor& patterns);
};

} // namespace mneme::nn
