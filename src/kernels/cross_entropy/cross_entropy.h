// SPDX-License-Identifier: MIT

/// Cross-entropy of rows of logits, and its gradient in their place.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// losses[r] = log(sum_j exp(logits[r][j])) - logits[r][target]. With `gradient`, logits become the gradient
/// of the sum of the losses: softmax(logits[r])_j, minus 1 at the target; else they are left undefined.
///
/// Shapes  logits [rows, words], targets [rows] in 0 to words - 1 -> losses [rows]; rows >= 0, words >= 1, no
///         alignment needed; T = float or double
/// Errors  of a loss: at most 1e-14 (float: 1e-6) times max(1, |largest logit|); of a gradient: 1e-14 (float:
///         1e-6). A row that has a NaN, or whose largest logit is not finite, gets NaN. Probabilities below
///         2^-100 relative to the largest one become 0
template <class T> struct CrossEntropyArgs {
  T* logits;
  const int64_t* targets;
  double* losses;
  int64_t rows, words;
  bool gradient;
};

/// Single-threaded. The results of a row depend on this row alone.
void cross_entropy(const CrossEntropyArgs<float>& args);
void cross_entropy(const CrossEntropyArgs<double>& args);

namespace reference { // computes in double
void cross_entropy(const CrossEntropyArgs<float>& args);
void cross_entropy(const CrossEntropyArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
