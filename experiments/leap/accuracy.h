// SPDX-License-Identifier: MIT

/// Numerical accuracy of LEAP on long sequences, of mneme and of the original. Declared without LibTorch
/// (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/torch_function.h"

namespace mneme::experiments {

struct LeapProblem {
  int64_t tokens = 0, window = 0; ///< window 0: all tokens
  bool exponential = false;       ///< focus weight: exponential, otherwise elu
  /// Logits are uniform in [-logits, logits]; 0: from random focus and keys, about -5 to 5.
  double logits = 0;
  uint64_t seed = 1;
};

/// Relative error of each token's readout in float32: norm of the error divided by the norm of the readout
/// computed in float64, maximum over two heads of 64 features.
struct LeapErrors {
  std::vector<double> ours, original;
};
inline constinit TorchFunction<LeapErrors(const LeapProblem& problem)> leap_errors{"LEAP"};

} // namespace mneme::experiments
