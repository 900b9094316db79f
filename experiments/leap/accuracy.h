// SPDX-License-Identifier: MIT

/// How exact LEAP is on long sequences, ours and the original, declared without LibTorch (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/torch_function.h"

namespace mneme::experiments {

struct LeapProblem {
  int64_t tokens = 0, window = 0; ///< window 0: all
  bool exponential = false;
  double logits = 0; ///< uniform in [-logits, logits]; 0: those of random focus and keys, about -5 to 5
  uint64_t seed = 1;
};

/// Of every token, the larger one of two heads of 64 features: length of the error of its readout in float32 relative to
/// that of the exact readout, which is computed in float64.
struct LeapErrors {
  std::vector<double> ours, original;
};
inline constinit TorchFunction<LeapErrors(const LeapProblem& problem)> leap_errors{"LEAP"};

} // namespace mneme::experiments
