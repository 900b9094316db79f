// SPDX-License-Identifier: MIT

/// What LEAP looks at, how much of it it takes, and why its gates open: exact, in tiles of readers and tokens, so that
/// nothing grows with the square of a sequence unless it is asked for.
#pragma once

#include <span>

#include "mneme/ops/leap.h"

namespace mneme::ops {

/// Of readers i and tokens j, each [B, H, readers, tokens]; 0 where i does not see j.
struct LeapExplanation {
  at::Tensor share;     ///< p_ij of token j in the means of reader i: readout_i = gate_i sum_j p_ij value_j
  at::Tensor attention; ///< A_ij = gate_i p_ij, the effective attention
  at::Tensor contribution; ///< |A_ij value_j|, the length of what the token adds to the readout
  /// g_ij, what the token adds to the logit of the gate: rows over all tokens sum to gate_logit. Undefined with an open
  /// gate, which has no logit.
  at::Tensor reason;
};

/// Errors  UsageError if the tile lies outside of the sequence
/// Cost    O(B H readers tokens), and O(B H readers tokens D) time for the reasons; a tile of one reader is a track
///         along the sequence
LeapExplanation explain(const LeapParts& parts, const LeapOptions& options, const LeapTile& tile = {});

/// What the gates were made from [B, T, H]: gate = sigmoid(logit), or the logit itself with the dot product.
/// Undefined with an open gate.
at::Tensor gate_logit(const LeapParts& parts, const LeapOptions& options);

/// A layer for roll_out, which looks at gate, log_weight and log_denominator only: the other parts may be dropped.
struct LeapLayer {
  LeapParts parts;
  LeapOptions options; ///< windows count
};

/// Through all layers: rows of (I + M_last) ... (I + M_first), where M is the mean of a layer's effective attention
/// over its heads and I the way around it. What it says of a model leaves out norms and feed-forward parts.
///
/// Shapes  layers in the order in which they read, all [B, T, H] with any H -> [B, readers, T]; readers
///         [first_reader, last_reader), -1 = to the end
/// Errors  UsageError if there is no layer, layers are of other lengths, one looks to both sides, or readers lie
///         outside of the sequence
/// Cost    O(B T H readers) per layer for any window
/// Source  Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", without their normalisation of rows
at::Tensor roll_out(std::span<const LeapLayer> layers, int64_t first_reader = 0, int64_t last_reader = -1);

} // namespace mneme::ops
