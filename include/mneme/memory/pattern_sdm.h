// SPDX-License-Identifier: MIT

/// Sparse Distributed Memory seen from the patterns: each counts as often as it shares hard locations with
/// the query.
#pragma once

#include "mneme/memory/associate.h"

namespace mneme {

/// Pattern-based SDM on bits: Hamming distance, circle intersection, majority.
///
/// Units   hamming_radius in bits
/// Source  Bricken & Pehlevan 2021, "Attention Approximates Sparse Distributed Memory"
AssociateOptions<BitPatterns> pattern_sdm(int64_t bits, int64_t hamming_radius);

/// The same with finitely many hard locations (see FiniteLocations).
AssociateOptions<BitPatterns> pattern_sdm(int64_t bits, int64_t hamming_radius, FiniteLocations locations);

} // namespace mneme
