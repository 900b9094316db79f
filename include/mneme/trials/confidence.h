// SPDX-License-Identifier: MIT

/// How sure a mean over repeated trials is.
#pragma once

#include <optional>
#include <span>

namespace mneme::trials {

struct MeanInterval {
  double mean = 0;
  std::optional<double> half_width; ///< of the 95 % confidence interval; absent with fewer than two trials
};

/// Formula  mean +- t s / sqrt(N), t of Student's distribution with N - 1 degrees of freedom
/// Errors   UsageError if there are no samples
MeanInterval mean_interval(std::span<const double> samples);

} // namespace mneme::trials
