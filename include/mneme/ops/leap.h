// SPDX-License-Identifier: MIT

/// LEAP: causal attention in linear time. Every token has one focus weight per head; a reader takes the weighted means
/// of keys and values over its window, and its query decides by one gate how much of the value to take.
#pragma once

#include <optional>

#include "mneme/ops/window_means.h"

namespace mneme::ops {

struct LeapOptions {
  FocusWeight weight = FocusWeight::elu;
  Windows windows = {};
  /// Of both dot products, finite. Default 1 / sqrt(D).
  std::optional<double> scale = {};
  double epsilon = kWindowEpsilon; ///< as in WindowMeansOptions
  at::Tensor logit_factor = {};    ///< [B, T, H], multiplies the focus logits: dropout
  at::Tensor is_token = {};        ///< bool [B, T]; false = padding, of weight 0
  /// NaN and infinite inputs, and logits or readouts that overflow, are errors; else they pass through, and a NaN
  /// reaches tokens before it as well.
  bool check_finite = true;
};

/// readout_i = sigmoid(scale query_i . K_i) V_i, with K and V the window means of keys and values
/// by the focus weights of scale focus_j . key_j.
///
/// Shapes  query, focus, key [B, T, H, D], value [B, T, H, V] -> [B, T, H, V]; B, T >= 0; H, D, V >= 1
/// Types   float32, float64, and float16, bfloat16 (computed in float32), the same for all, on any device.
///         Differentiable once in all four
/// Errors  UsageError if shapes, types or devices disagree, an option is out of its range, or an input or result is
///         not finite; in backward, if a second derivative is asked for
/// Cost    O(B T H (D + V)) time for any window; kept for backward: the inputs
/// Also    torch.ops.mneme.leap(query, focus, key, value, windows, decay, weight, scale, epsilon, logit_factor,
///         is_token)
/// Source  LEAP ("Linear Explainable Attention in Parallel"), final code (elu) and the code before (exponential)
at::Tensor leap(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                const at::Tensor& value, const LeapOptions& options = {});

/// What a sequence has left behind: all that its next token needs. Its size does not grow with the sequence.
struct LeapState {
  int64_t position = 0; ///< tokens seen so far
  /// Of heads that see all tokens: sums of weights, weighted keys, weighted values [B, H, 1 + D + V], times
  /// exp(-reference), in float64.
  at::Tensor sums, reference;
  /// The last tokens, as many as the largest window needs: [B, n, H], [B, n, H, D], [B, n, H, V]
  at::Tensor logit, key, value;
};

struct LeapContinuation {
  at::Tensor readout;
  LeapState state;
};

/// The readout of the next tokens of a sequence: `leap` of the whole sequence, cut anywhere. `state`: what the call
/// before returned, with the same options; {} at the beginning. Without gradients; is_token is refused.
///
/// Errors  UsageError, as leap, or if the state is of another shape, type or device
/// Cost    O(B T H (D + V)) time and, per call, the largest finite window; the same at any position
LeapContinuation leap_continue(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                               const at::Tensor& value, const LeapState& state,
                               const LeapOptions& options = {});

} // namespace mneme::ops
