// SPDX-License-Identifier: MIT

/// Exact explanations of LEAP: attention weights, contributions of tokens to readouts and to gate logits, and
/// attention rollout. Matrices are computed tile by tile, so that memory grows with the square of a sequence
/// only if the caller requests the full matrix.
#pragma once

#include <span>

#include "mneme/ops/leap.h"

namespace mneme::ops {

/// Matrices [B, H, queries, keys] for query positions i and tokens j; 0 where j is outside the window of i.
struct LeapExplanation {
  at::Tensor
      mean_weight; ///< p_ij, weight of token j in the window mean of i: readout_i = gate_i sum_j p_ij value_j
  at::Tensor attention;    ///< A_ij = gate_i p_ij, the effective attention
  at::Tensor contribution; ///< |A_ij value_j|, the norm of the token's term of the readout
  /// g_ij, the token's term of the gate logit: the sum of a row over all tokens is gate_logit. Undefined with
  /// an open gate, which has no logit.
  at::Tensor gate_logit_contribution;
};

/// Errors  UsageError if the tile exceeds the sequence
/// Cost    O(B H queries keys), and O(B H queries keys D) time for gate_logit_contribution. A tile of one
///         query is linear in the sequence
LeapExplanation explain(const LeapIntermediates& intermediates, const LeapOptions& options,
                        const LeapTile& tile = {});

/// The logits of the gates [B, T, H]: gate = sigmoid(logit), or the logit itself for the dot product.
/// Undefined with an open gate.
at::Tensor gate_logit(const LeapIntermediates& intermediates, const LeapOptions& options);

/// A layer for attention_rollout, which uses only gate, log_weight and log_denominator: other tensors may be
/// undefined.
struct LeapLayer {
  LeapIntermediates intermediates;
  LeapOptions options; ///< only `windows` and `both_sides` are used
};

/// Attention rollout: rows of (I + M_last) ... (I + M_first), where M is the effective attention of a layer
/// averaged over its heads and I its residual connection. Norms and feed-forward layers of a model are not
/// included.
///
/// Shapes  layers from the first to the last, all [B, T, H] with any H -> [B, queries, T]; queries
///         [first_query, last_query), -1 = the end
/// Errors  UsageError if there is no layer, layers have different lengths, one has `both_sides`, or the
///         queries exceed the sequence
/// Cost    O(B T H queries) per layer for any window
/// Source  Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", without their normalisation
///         of rows
at::Tensor attention_rollout(std::span<const LeapLayer> layers, int64_t first_query = 0,
                             int64_t last_query = -1);

} // namespace mneme::ops
