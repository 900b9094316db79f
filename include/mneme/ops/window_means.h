// SPDX-License-Identifier: MIT

/// Weighted means over a sliding window of a sequence, in linear time, differentiable. The weight of a token
/// is the same for all query positions whose windows contain it.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mneme/core/focus_weight.h"

namespace mneme::ops {

using mneme::FocusWeight;

/// The window of each head.
struct Windows {
  /// Length in tokens, the query position included; 0 = unlimited. One number for all heads, or one per head.
  std::vector<int64_t> tokens = {0};
  /// The weight of a token at distance n is multiplied by exp(-decay * n): >= 0, one for all heads, or one
  /// per head.
  std::vector<double> decay = {0};
};

/// Keeps the mean finite if all weights of a window are 0; value of the published code.
constexpr double kWindowEpsilon = 1e-5;

struct WindowMeansOptions {
  FocusWeight weight = FocusWeight::elu;
  Windows windows = {};
  /// Added to the sum of weights, finite, > 0; with exponential weights also 0: exact means.
  double epsilon = kWindowEpsilon;
  /// Windows contain as many tokens after the query position as before it (an encoder); without decay.
  bool both_sides = false;
  at::Tensor key_padding_mask = {}; ///< bool [B, T]; true = ignored (padding), of weight 0; undefined: none
};

struct WindowMeans {
  at::Tensor means;      ///< [B, T, H, R]
  at::Tensor weight;     ///< [B, T, H]; infinite where exp(logit) is
  at::Tensor weight_sum; ///< [B, T, H], without epsilon; infinite on overflow; means do not overflow
  /// [B, T, H]: exp(log_weight_j - log_denominator_i - decay * (i - j)) is the normalised weight of token j
  /// in the mean of i.
  at::Tensor log_weight, log_denominator;
};

/// means_i = sum_j w_j rows_j / (sum_j w_j + epsilon), j = max(0, i - window + 1) .. i
///
/// Shapes  logit [B, T, H], rows [B, T, H, R]; any of B, T >= 0; H, R >= 1
/// Types   float32, float64, and float16, bfloat16 (sums in float32), both the same, on any device.
///         Differentiable once in means
/// Errors  UsageError if shapes, types or devices disagree, an option is out of its range, or the number of
///         windows is neither 1 nor H; in backward for a double backward, which is not supported
/// Cost    O(B T H R) time for any window, as sums of blocks: no differences of long sums, so no drift
/// Source  LEAP ("Linear Explainable Attention in Parallel"), focus
WindowMeans window_means(const at::Tensor& logit, const at::Tensor& rows,
                         const WindowMeansOptions& options = {});

} // namespace mneme::ops
