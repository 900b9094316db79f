// SPDX-License-Identifier: MIT

/// LEAP: causal attention in linear time. Every token has one focus weight per head; a reader takes the weighted means
/// of keys and values over its window, and its query decides by one gate how much of the value to take.
#pragma once

#include <optional>

#include "mneme/ops/window_means.h"

namespace mneme::ops {

/// How much of the mean value a reader takes: its gate, from its query and the mean key K.
enum class LeapGate {
  sigmoid,     ///< sigmoid(gate_scale query . K)
  cosine,      ///< sigmoid(gate_scale cos(query, K)): bounded
  dot_product, ///< gate_scale query . K
  open,        ///< 1: the query is not used
};

struct LeapOptions {
  FocusWeight weight = FocusWeight::elu;
  Windows windows = {};
  /// Of the focus logits, finite. Default 1 / sqrt(D).
  std::optional<double> scale = {};
  LeapGate gate = LeapGate::sigmoid;
  /// Finite. Default: `scale`; kCosineGateScale for the cosine.
  std::optional<double> gate_scale = {};
  double epsilon = kWindowEpsilon; ///< as in WindowMeansOptions
  bool both_sides = false;         ///< as in WindowMeansOptions; such a sequence cannot be continued
  at::Tensor logit_factor = {};    ///< [B, T, H], multiplies the focus logits: dropout
  at::Tensor is_token = {};        ///< bool [B, T]; false = padding, of weight 0
  /// NaN and infinite inputs, and logits or readouts that overflow, are errors; else they pass through, and a NaN
  /// reaches tokens before it as well.
  bool check_finite = true;
};

/// A cosine gate goes from sigmoid(-10) to sigmoid(10), as far as the gate of the published exponential form.
constexpr double kCosineGateScale = 10;

/// readout_i = gate(query_i, K_i) V_i, with K and V the window means of keys and values by the focus weights of
/// the logits scale focus_j . key_j.
///
/// Shapes  query, focus, key [B, T, H, D], value [B, T, H, V] -> [B, T, H, V]; B, T >= 0; H, D, V >= 1
/// Types   float32, float64, and float16, bfloat16 (computed in float32), the same for all, on any device.
///         Differentiable once in all four
/// Errors  UsageError if shapes, types or devices disagree, an option is out of its range, or an input or result is
///         not finite; in backward, if a second derivative is asked for
/// Cost    O(B T H (D + V)) time for any window; kept for backward: the inputs, and on the CPU the readout and
///         some 10 numbers per token and head
/// Also    torch.ops.mneme.leap(query, focus, key, value, windows, decay, weight, scale, epsilon, logit_factor,
///         is_token), with the sigmoid gate
/// Source  LEAP ("Linear Explainable Attention in Parallel"), final code (elu) and the code before (exponential)
at::Tensor leap(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                const at::Tensor& value, const LeapOptions& options = {});

/// A readout and all it was made from.
struct LeapParts {
  at::Tensor query, key, value;           ///< as given, in the type of the sums
  at::Tensor readout;                     ///< as leap
  at::Tensor focus_logit;                 ///< [B, T, H]
  at::Tensor focus_weight, weight_sum;    ///< [B, T, H], as in WindowMeans
  at::Tensor log_weight, log_denominator; ///< [B, T, H], as in WindowMeans
  at::Tensor focused_key, focused_value;  ///< [B, T, H, D or V], the means
  at::Tensor gate;                        ///< [B, T, H]
};

/// The same as leap by LibTorch expressions, differentiable in all parts; keeps all of them for backward.
LeapParts leap_with_parts(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                          const at::Tensor& value, const LeapOptions& options = {});

/// Rows and columns of a matrix of readers and tokens; to -1 = to the end.
struct LeapTile {
  int64_t first_reader = 0, last_reader = -1, first_token = 0, last_token = -1; ///< half open
};

/// The effective attention A: readout_i = sum_j A_ij value_j, exactly. A_ij = gate_i weight_j / denominator_i inside
/// the window, else 0: rows sum to at most the gate.
///
/// Shapes  of the tile: [B, H, readers, tokens]
/// Errors  UsageError if the tile lies outside of the sequence
/// Cost    O(B H readers tokens) time and memory: ask for a tile where the sequence is long
at::Tensor effective_attention(const LeapParts& parts, const LeapOptions& options, const LeapTile& tile = {});

/// What a sequence has left behind: all that its next token needs. Its size does not grow with the sequence.
struct LeapState {
  int64_t position = 0; ///< tokens seen so far
  /// Of heads that see all tokens: sums of weights, weighted keys, weighted values [B, H, 1 + D + V], times
  /// exp(-reference), in float64.
  at::Tensor sums, reference;
  /// The last tokens, as many as the largest window needs: [B, n, H], [B, n, H, D], [B, n, H, V]
  at::Tensor logit, key, value;
  /// On the CPU all of this in one, [B, n], as the kernels keep it, and the window of every head; the others are then not
  /// defined.
  at::Tensor scan, windows;
};

struct LeapContinuation {
  at::Tensor readout;
  LeapState state;
};

/// The readout of the next tokens of a sequence: `leap` of the whole sequence, cut anywhere. `state`: what the call
/// before returned, with the same options; {} at the beginning. Without gradients; is_token is refused.
///
/// Errors  UsageError, as leap, or if the state is of another shape, type or device
/// Cost    O(B T H (D + V)) time, the same at any position; where the kernels do not know the options, the largest
///         finite window as well. A state that is not moved in is copied: std::move it where it is not asked again
LeapContinuation leap_continue(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                               const at::Tensor& value, LeapState state, const LeapOptions& options = {});

} // namespace mneme::ops
