// SPDX-License-Identifier: MIT

/// Attention as a memory: softmax with the beta that makes it approximate SDM, or with that of the
/// Transformer.
#pragma once

#include "mneme/memory/associate.h"

namespace mneme {

/// SDM attention on bits: softmax(beta (1 - 2 Hamming / n)), majority. beta as fitted to the circle
/// intersection at this radius, in the published convention (theory/beta_fit.h).
///
/// Source  Bricken & Pehlevan 2021
AssociateOptions<BitPatterns> binary_sdm_attention(int64_t bits, int64_t hamming_radius);
AssociateOptions<BitPatterns> binary_attention(double beta);

enum class BetaFittedTo { circle_intersection, cap_intersection };

/// SDM attention on real patterns of length 1: softmax(beta cosine), readout normalised.
AssociateOptions<RealPatterns> sdm_attention(int64_t size, int64_t hamming_radius,
                                             BetaFittedTo fitted_to = BetaFittedTo::circle_intersection);
AssociateOptions<RealPatterns> cosine_attention(double beta);

/// Transformer attention on patterns of length 1: beta = 1 / sqrt(size).
AssociateOptions<RealPatterns> transformer_attention(int64_t size);

} // namespace mneme
