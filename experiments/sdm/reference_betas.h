// SPDX-License-Identifier: MIT

/// The three betas that the figures of "Attention Approximates Sparse Distributed Memory" draw as red lines.
#pragma once

#include <vector>

#include "report/chart.h"

namespace mneme::experiments {

/// Betas fitted to SDM of 64 bits whose radius is best for one aim, by the published convention.
struct ReferenceBetas {
  double critical_distance; ///< d = 15
  double signal_to_noise;   ///< d = 11
  double capacity;          ///< d = 5
};
ReferenceBetas reference_betas();

/// As lines down the chart.
std::vector<report::Reference> reference_lines(const ReferenceBetas& betas);

} // namespace mneme::experiments
