// SPDX-License-Identifier: MIT

/// LEAP with a matrix for a state: its focus weights say how much of a token is kept, and its query finds, among what
/// was kept, the values whose keys are like it. So one head can hold many pairs of key and value, and still reads a
/// token in constant time.
#pragma once

#include <optional>

#include "mneme/ops/window_means.h"

namespace mneme::ops {

/// phi, of queries and keys, feature by feature: their products must not be negative to be weights.
enum class KeyFeatures {
  elu,  ///< ELU + 1, > 0
  relu, ///< max(x, 0): keys can be orthogonal, and then do not disturb each other
};

struct MatrixLeapOptions {
  FocusWeight weight = FocusWeight::elu;
  KeyFeatures features = KeyFeatures::elu;
  Windows windows = {};
  /// Of the focus logits, finite. Default 1 / sqrt(D).
  std::optional<double> scale = {};
  double epsilon = kWindowEpsilon; ///< as in WindowMeansOptions
  bool both_sides = false;         ///< as in WindowMeansOptions; such a sequence cannot be continued
  at::Tensor is_token = {};        ///< bool [B, T]; false = padding, of weight 0
  /// NaN and infinite inputs, and readouts that overflow, are errors; else they pass through.
  bool check_finite = true;
};

/// readout_i = phi(query_i)^T S_i / (phi(query_i)^T z_i + epsilon), with the sums over the window
/// S_i = sum_j w_j phi(key_j) value_j^T and z_i = sum_j w_j phi(key_j), and focus weights w_j from the logits
/// scale focus_j . key_j.
///
/// Shapes  query, focus, key [B, T, H, D], value [B, T, H, V] -> [B, T, H, V]; B, T >= 0; H, D, V >= 1
/// Types   float32, float64, and float16, bfloat16 (computed in float32), the same for all, on any device.
///         Differentiable once in all four
/// Errors  UsageError if shapes, types or devices disagree, an option is out of its range, or an input or readout is
///         not finite; in backward, if a second derivative is asked for
/// Cost    O(B T H (D V + 32 (D + V))) time for any window; O(B T H (D + V + D V / 16)) memory
/// Source  LEAP ("Linear Explainable Attention in Parallel"), focus; linear attention (Katharopoulos et al. 2020)
at::Tensor matrix_leap(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                       const at::Tensor& value, const MatrixLeapOptions& options = {});

/// What a sequence has left behind. Its size does not grow with the sequence.
struct MatrixLeapState {
  int64_t position = 0; ///< tokens seen so far
  /// Of heads that see all tokens: the sums of w_j phi(key_j) [1, value_j]^T [B, H, D, 1 + V] times
  /// exp(-reference), in float64, and the reference [B, H].
  at::Tensor sums, reference;
  /// The last tokens, as many as the largest window needs: [B, n, H], [B, n, H, D], [B, n, H, V]
  at::Tensor logit, key, value;
};

struct MatrixLeapContinuation {
  at::Tensor readout;
  MatrixLeapState state;
};

/// The readout of the next tokens of a sequence: `matrix_leap` of the whole sequence, cut anywhere. `state`: what the
/// call before returned, with the same options; {} at the beginning. Without gradients; is_token is refused.
///
/// Errors  UsageError, as matrix_leap, or if the state is of another shape, type or device
/// Cost    of one token: O(B H D V), and O(B H W (D + V)) for the heads of the largest finite window W; the same at any
///         position
MatrixLeapContinuation matrix_leap_continue(const at::Tensor& query, const at::Tensor& focus,
                                            const at::Tensor& key, const at::Tensor& value,
                                            MatrixLeapState state, const MatrixLeapOptions& options = {});

} // namespace mneme::ops
