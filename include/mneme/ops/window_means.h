// SPDX-License-Identifier: MIT

/// Weighted means over a window of a sequence, in linear time, differentiable: every token has a weight of its own,
/// the same for all that look back on it.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mneme/core/focus_weight.h"

namespace mneme::ops {

using mneme::FocusWeight;

/// How far each head looks.
struct Windows {
  /// Tokens, the reader included; 0 = all. One number for all heads, or one per head.
  std::vector<int64_t> tokens = {0};
  /// A token that is n tokens away weighs exp(-decay * n) times as much: >= 0, one for all heads, or one per head.
  std::vector<double> decay = {0};
};

/// Keeps a window finite in which all weights are 0; value of the published code.
constexpr double kWindowEpsilon = 1e-5;

struct WindowMeansOptions {
  FocusWeight weight = FocusWeight::elu;
  Windows windows = {};
  /// Added to the sum of weights, finite, > 0; with exponential weights also 0: exact means.
  double epsilon = kWindowEpsilon;
  /// A reader sees as many tokens after itself as before; without decay.
  bool both_sides = false;
  at::Tensor is_token = {}; ///< bool [B, T]; false = padding, of weight 0
};

struct WindowMeans {
  at::Tensor means;      ///< [B, T, H, R]
  at::Tensor weight;     ///< [B, T, H]; infinite where exp(logit) is
  at::Tensor weight_sum; ///< [B, T, H], without epsilon; infinite where it overflows, which no mean does
  /// [B, T, H]: exp(log_weight_j - log_denominator_i - decay * (i - j)) is the share of token j in the mean of i.
  at::Tensor log_weight, log_denominator;
};

/// means_i = sum_j w_j rows_j / (sum_j w_j + epsilon), j = max(0, i - window + 1) .. i
///
/// Shapes  logit [B, T, H], rows [B, T, H, R]; any of B, T >= 0; H, R >= 1
/// Types   float32, float64, and float16, bfloat16 (sums in float32), both the same, on any device. Differentiable
///         once in means
/// Errors  UsageError if shapes, types or devices disagree, an option is out of its range, or the list of windows
///         fits no number of heads; in backward, if a second derivative is asked for
/// Cost    O(B T H R) time for any window, as sums of blocks: no differences of long sums, so no drift
/// Source  LEAP ("Linear Explainable Attention in Parallel"), focus
WindowMeans window_means(const at::Tensor& logit, const at::Tensor& rows,
                         const WindowMeansOptions& options = {});

} // namespace mneme::ops
