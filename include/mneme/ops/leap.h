// SPDX-License-Identifier: MIT

/// LEAP: causal attention in linear time. Every token has one focus weight per head. A query position
/// computes the weighted means of keys and values over its window; its query then scales the mean value by
/// one gate.
#pragma once

#include <optional>

#include "mneme/ops/window_means.h"

namespace mneme::ops {

/// The factor of the mean value at a query position, computed from its query and the mean key K.
enum class LeapGate {
  sigmoid,     ///< sigmoid(gate_scale query . K)
  cosine,      ///< sigmoid(gate_scale cos(query, K)): bounded
  dot_product, ///< gate_scale query . K
  open,        ///< 1: the query is not used
};

struct LeapOptions {
  FocusWeight weight = FocusWeight::elu;
  Windows windows = {};
  /// Scale of the focus logits, finite. Default 1 / sqrt(D).
  std::optional<double> scale = {};
  LeapGate gate = LeapGate::sigmoid;
  /// Scale of the gate logits, finite. Default: `scale`; kCosineGateScale for the cosine.
  std::optional<double> gate_scale = {};
  double epsilon = kWindowEpsilon;  ///< as in WindowMeansOptions
  bool both_sides = false;          ///< as in WindowMeansOptions; such a sequence cannot be continued
  at::Tensor logit_factor = {};     ///< [B, T, H], multiplies the focus logits: dropout
  at::Tensor key_padding_mask = {}; ///< bool [B, T]; true = ignored (padding), of weight 0; undefined: none
  /// NaN and infinite inputs, and logits or readouts that overflow, are errors. If false they propagate, and
  /// a NaN also reaches earlier tokens.
  bool check_finite = true;
};

/// The cosine gate ranges from sigmoid(-10) to sigmoid(10), like the gate of the published exponential form.
constexpr double kCosineGateScale = 10;

/// readout_i = gate(query_i, K_i) V_i, where K and V are the window means of keys and values, weighted by the
/// focus weights of the logits scale focus_j . key_j.
///
/// Shapes  query, focus, key [B, T, H, D], value [B, T, H, V] -> [B, T, H, V]; B, T >= 0; H, D, V >= 1
/// Types   float32, float64, and float16, bfloat16 (computed in float32), the same for all, on any device.
///         Differentiable once in all four
/// Errors  UsageError if shapes, types or devices disagree, an option is out of its range, or an input or
///         result is not finite; in backward for a double backward, which is not supported
/// Cost    O(B T H (D + V)) time for any window; saved for backward: the inputs, and on the CPU the readout
///         and about 10 numbers per token and head
/// Also    torch.ops.mneme.leap(query, focus, key, value, windows, decay, weight, scale, epsilon,
///         logit_factor, key_padding_mask), with the sigmoid gate
/// Source  LEAP ("Linear Explainable Attention in Parallel"), final code (elu) and the code before
///         (exponential)
at::Tensor leap(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                const at::Tensor& value, const LeapOptions& options = {});

/// A readout and all intermediate results of its computation.
struct LeapIntermediates {
  at::Tensor query, key, value;           ///< the inputs, in the type of the sums
  at::Tensor readout;                     ///< as leap
  at::Tensor focus_logit;                 ///< [B, T, H]
  at::Tensor focus_weight, weight_sum;    ///< [B, T, H], as in WindowMeans
  at::Tensor log_weight, log_denominator; ///< [B, T, H], as in WindowMeans
  at::Tensor focused_key, focused_value;  ///< [B, T, H, D or V], the window means
  at::Tensor gate;                        ///< [B, T, H]
};

/// `leap` as LibTorch expressions, differentiable in all intermediates; saves all of them for backward.
LeapIntermediates leap_with_intermediates(const at::Tensor& query, const at::Tensor& focus,
                                          const at::Tensor& key, const at::Tensor& value,
                                          const LeapOptions& options = {});

/// A block of an attention matrix: queries [first_query, last_query) and keys [first_key, last_key); -1 = the
/// end.
struct LeapTile {
  int64_t first_query = 0, last_query = -1, first_key = 0, last_key = -1;
};

/// The effective attention A: readout_i = sum_j A_ij value_j, exactly. A_ij = gate_i weight_j / denominator_i
/// inside the window, else 0: the sum of a row is at most the gate.
///
/// Shapes  [B, H, queries, keys] of the tile
/// Errors  UsageError if the tile exceeds the sequence
/// Cost    O(B H queries keys) time and memory: use tiles for long sequences
at::Tensor effective_attention(const LeapIntermediates& intermediates, const LeapOptions& options,
                               const LeapTile& tile = {});

/// Recurrent state of a sequence, as after its last token. Its size does not grow with the sequence.
struct LeapState {
  int64_t position = 0; ///< number of tokens so far
  /// Heads without a window: sums of weights, weighted keys, weighted values [B, H, 1 + D + V], times
  /// exp(-reference), in float64.
  at::Tensor sums, reference;
  /// The last tokens, as many as the largest window needs: [B, n, H], [B, n, H, D], [B, n, H, V]
  at::Tensor logit, key, value;
  /// State of the CPU kernels [B, n], and the window of every head. If these are defined, the tensors above
  /// are not.
  at::Tensor scan, windows;
};

struct LeapContinuation {
  at::Tensor readout;
  LeapState state;
};

/// The readout of the next tokens of a sequence. Calls for consecutive segments of a sequence return the
/// readout of `leap` for the entire sequence. `state`: the state that the previous call returned, with the
/// same options; {} for the first call. Without gradients; does not accept a key_padding_mask.
///
/// Errors  UsageError, as leap, or if the state has another shape, type or device
/// Cost    O(B T H (D + V)) time, the same at any position; for options that the CPU kernels do not support,
///         also O(largest finite window). The state is copied unless it is moved in
LeapContinuation leap_continue(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                               const at::Tensor& value, LeapState state, const LeapOptions& options = {});

} // namespace mneme::ops
