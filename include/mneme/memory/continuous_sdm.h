// SPDX-License-Identifier: MIT

/// Sparse Distributed Memory of real patterns of length 1.
#pragma once

#include "mneme/memory/associate.h"

namespace mneme {

/// Continuous SDM: cosine, intersection of hypersphere caps, normalised readout.
///
/// Units   hamming_radius in bits of a binary pattern of the same size: the half-angle of a cap has the
///         cosine 1 - 2 hamming_radius / size
/// Source  Bricken & Pehlevan 2021
AssociateOptions<RealPatterns> continuous_sdm(int64_t size, int64_t hamming_radius,
                                              std::optional<FiniteLocations> locations = {});

/// Continuous SDM with binary weights: cosines are converted to Hamming distances and weighted by the circle
/// intersection.
AssociateOptions<RealPatterns> continuous_binary_sdm(int64_t size, int64_t hamming_radius,
                                                     std::optional<FiniteLocations> locations = {});

} // namespace mneme
