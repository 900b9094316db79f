// SPDX-License-Identifier: MIT

/// LEAP with a matrix as recurrent state: linear attention whose tokens are weighted by LEAP's focus weights.
/// A query retrieves the values whose keys are similar to it. One head can store many pairs of key and value,
/// at constant time per token.
#pragma once

#include <optional>

#include "mneme/ops/window_means.h"

namespace mneme::ops {

/// The feature map phi of queries and keys, elementwise. Its values must be >= 0, as their products are
/// weights.
enum class KeyFeatures {
  elu,  ///< ELU + 1, > 0
  relu, ///< max(x, 0): keys can be orthogonal, and then do not interfere with each other
};

struct MatrixLeapOptions {
  FocusWeight weight = FocusWeight::elu;
  KeyFeatures features = KeyFeatures::elu;
  Windows windows = {};
  /// Scale of the focus logits, finite. Default 1 / sqrt(D).
  std::optional<double> scale = {};
  double epsilon = kWindowEpsilon;  ///< as in WindowMeansOptions
  bool both_sides = false;          ///< as in WindowMeansOptions; such a sequence cannot be continued
  at::Tensor key_padding_mask = {}; ///< bool [B, T]; true = ignored (padding), of weight 0; undefined: none
  /// NaN and infinite inputs, and readouts that overflow, are errors. If false they propagate.
  bool check_finite = true;
};

/// readout_i = phi(query_i)^T S_i / (phi(query_i)^T z_i + epsilon), with the sums over the window
/// S_i = sum_j w_j phi(key_j) value_j^T and z_i = sum_j w_j phi(key_j), and focus weights w_j from the logits
/// scale focus_j . key_j.
///
/// Shapes  query, focus, key [B, T, H, D], value [B, T, H, V] -> [B, T, H, V]; B, T >= 0; H, D, V >= 1
/// Types   float32, float64, and float16, bfloat16 (computed in float32), the same for all, on any device.
///         Differentiable once in all four
/// Errors  UsageError if shapes, types or devices disagree, an option is out of its range, or an input or
///         readout is not finite; in backward for a double backward, which is not supported
/// Cost    O(B T H (D V + 32 (D + V))) time for any window; O(B T H (D + V + D V / 16)) memory
/// Source  LEAP ("Linear Explainable Attention in Parallel"), focus; linear attention (Katharopoulos et al.
///         2020)
at::Tensor matrix_leap(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                       const at::Tensor& value, const MatrixLeapOptions& options = {});

/// Recurrent state of a sequence, as after its last token. Its size does not grow with the sequence.
struct MatrixLeapState {
  int64_t position = 0; ///< number of tokens so far
  /// Heads without a window: the sums of w_j phi(key_j) [1, value_j]^T [B, H, D, 1 + V] times
  /// exp(-reference), in float64, and the reference [B, H].
  at::Tensor sums, reference;
  /// The last tokens, as many as the largest window needs: [B, n, H], [B, n, H, D], [B, n, H, V]
  at::Tensor logit, key, value;
};

struct MatrixLeapContinuation {
  at::Tensor readout;
  MatrixLeapState state;
};

/// The readout of the next tokens of a sequence. Calls for consecutive segments of a sequence return the
/// readout of `matrix_leap` for the entire sequence. `state`: the state that the previous call returned, with
/// the same options; {} for the first call. Without gradients; does not accept a key_padding_mask.
///
/// Errors  UsageError, as matrix_leap, or if the state has another shape, type or device
/// Cost    per token: O(B H D V), and O(B H W (D + V)) for heads with the largest finite window W; the same
///         at any position
MatrixLeapContinuation matrix_leap_continue(const at::Tensor& query, const at::Tensor& focus,
                                            const at::Tensor& key, const at::Tensor& value,
                                            MatrixLeapState state, const MatrixLeapOptions& options = {});

} // namespace mneme::ops
