// SPDX-License-Identifier: MIT

/// Patterns that are parameters of a layer: the state patterns of HopfieldPooling, the stored patterns of
/// HopfieldLayer.
#pragma once

#include "mneme/nn/hopfield.h"

namespace mneme::nn {

struct LearnedPatterns {
  const char* layer; ///< name of the layer, for error messages
  const HopfieldOptions& options;
  int64_t quantity; ///< number of patterns

  /// Features of a pattern: d if the patterns are static, else `size`, by default input_size.
  /// Errors  UsageError if quantity or size is not set or < 1
  int64_t features(bool is_static, std::optional<int64_t> size) const;
  /// New, initialised patterns [1, quantity, features], or length first.
  at::Tensor create(int64_t features) const;
  /// Draws patterns from a normal distribution of standard deviation 0.02.
  static void initialise(at::Tensor& patterns);
};

} // namespace mneme::nn
