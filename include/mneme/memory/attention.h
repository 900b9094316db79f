// SPDX-License-Identifier: MIT

/// Attention as an associative memory: softmax with a beta for which it approximates SDM, or with the beta of
/// the Transformer.
#pragma once

#include "mneme/memory/associate.h"

namespace mneme {

/// SDM attention on binary patterns: softmax(beta (1 - 2 Hamming / n)), majority. beta is fitted to the
/// circle intersection at this radius, in the published convention (theory/beta_fit.h).
///
/// Source  Bricken & Pehlevan 2021
AssociateOptions<BitPatterns> binary_sdm_attention(int64_t bits, int64_t hamming_radius);
/// Attention on binary patterns with a given beta.
AssociateOptions<BitPatterns> binary_attention(double beta);

/// Function that softmax is fitted to.
enum class BetaFitTarget { circle_intersection, cap_intersection };

/// SDM attention on real patterns of length 1: softmax(beta cosine) with a fitted beta, normalised readout.
AssociateOptions<RealPatterns> sdm_attention(int64_t size, int64_t hamming_radius,
                                             BetaFitTarget fit_target = BetaFitTarget::circle_intersection);
/// Attention on real patterns of length 1 with a given beta.
AssociateOptions<RealPatterns> cosine_attention(double beta);

/// Transformer attention on patterns of length 1: beta = 1 / sqrt(size).
///
/// Errors  UsageError if size < 1
AssociateOptions<RealPatterns> transformer_attention(int64_t size);

} // namespace mneme
