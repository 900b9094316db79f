// SPDX-License-Identifier: MIT

/// Pattern-based Sparse Distributed Memory: instead of hard locations with counters it keeps the stored
/// patterns, and weights each by the number of hard locations that it shares with the query.
#pragma once

#include "mneme/memory/associate.h"

namespace mneme {

/// Pattern-based SDM of binary patterns: Hamming distance, circle intersection, majority.
///
/// Units   hamming_radius in bits
/// Source  Bricken & Pehlevan 2021, "Attention Approximates Sparse Distributed Memory"
AssociateOptions<BitPatterns> pattern_sdm(int64_t bits, int64_t hamming_radius);

/// Pattern-based SDM with a finite number of hard locations (see FiniteLocations).
AssociateOptions<BitPatterns> pattern_sdm(int64_t bits, int64_t hamming_radius, FiniteLocations locations);

} // namespace mneme
