// SPDX-License-Identifier: MIT

/// How exact LEAP is on long sequences, ours and the original, without a word of LibTorch: a program links
/// mneme_experiments_nn, or mneme_experiments_no_nn and starts without loading it.
#pragma once

#include <cstdint>
#include <vector>

namespace mneme::experiments {

/// accuracy.cpp: true; no_leap.cpp: false, and everything below and in contenders.h throws UnsupportedError.
bool can_run_leap();

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
LeapErrors leap_errors(const LeapProblem& problem);

} // namespace mneme::experiments
