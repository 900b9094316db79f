// SPDX-License-Identifier: MIT

/// The three reference betas, drawn as red lines in figures of "Attention Approximates Sparse Distributed
/// Memory".
#pragma once

#include <vector>

#include "report/chart.h"

namespace mneme::experiments {

/// Betas fitted, by the published convention, to SDM of 64 bits with the optimal radius for each criterion.
struct ReferenceBetas {
  double critical_distance; ///< d = 15
  double signal_to_noise;   ///< d = 11
  double capacity;          ///< d = 5
};
ReferenceBetas reference_betas();

/// Vertical reference lines for a chart.
std::vector<report::Reference> reference_lines(const ReferenceBetas& betas);

} // namespace mneme::experiments
