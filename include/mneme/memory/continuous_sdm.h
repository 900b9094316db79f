// SPDX-License-Identifier: MIT

/// Sparse Distributed Memory on real patterns of length 1.
#pragma once

#include "mneme/memory/associate.h"

namespace mneme {

/// Cosine, intersection of hypersphere caps, readout normalised.
///
/// Units   hamming_radius in bits of a binary pattern of the same size: the cap's half-angle has
///         cosine 1 - 2 radius / size
/// Source  Bricken & Pehlevan 2021
AssociateOptions<RealPatterns> continuous_sdm(int64_t size, int64_t hamming_radius,
                                              std::optional<FiniteLocations> locations = {});

/// Binary-table form: cosines are turned into Hamming distances and weighted by the circle intersection.
AssociateOptions<RealPatterns> continuous_binary_sdm(int64_t size, int64_t hamming_radius,
                                                     std::optional<FiniteLocations> locations = {});

} // namespace mneme
