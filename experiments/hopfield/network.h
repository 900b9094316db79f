// SPDX-License-Identifier: MIT

/// Modern Hopfield networks of random patterns, for the experiments on their theory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/random.h"

namespace mneme::experiments {

/// Random patterns on the sphere of radius `radius_factor` * sqrt(size - 1), as in theorem 3.
RealPatterns sphere_patterns(int64_t count, int64_t size, double radius_factor, const Random& random);

/// Each pattern moved by `length` in an independent random direction.
RealPatterns perturbed(RealPatterns patterns, double length, const Random& random);

/// The states after one update.
RealPatterns updated(const RealPatterns& states, const RealPatterns& stored, double beta);

struct FixedPoints {
  RealPatterns states;
  int64_t updates = 0;   ///< number of updates of the slowest state
  bool converged = true; ///< true if all states converged
};
/// Iterates the update until no component changes by more than 1e-12.
FixedPoints iterate_to_fixed_points(const RealPatterns& states, const RealPatterns& stored, double beta);

/// Euclidean distance.
double distance(std::span<const double> a, std::span<const double> b);

/// Mean of patterns `begin` to `end` (not included).
std::vector<double> mean_pattern(const RealPatterns& patterns, int64_t begin, int64_t end);

} // namespace mneme::experiments
