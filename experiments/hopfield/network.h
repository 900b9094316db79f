// SPDX-License-Identifier: MIT

/// Modern Hopfield networks of random patterns, as the experiments on their theory ask them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/random.h"

namespace mneme::experiments {

/// Random patterns of the sphere whose radius is `radius_factor` times sqrt(size - 1), as theorem 3 has them.
RealPatterns sphere_patterns(int64_t count, int64_t size, double radius_factor, const Random& random);

/// Each pattern moved by `length` into a direction of its own.
RealPatterns moved(RealPatterns patterns, double length, const Random& random);

/// One update of every state.
RealPatterns updated(const RealPatterns& states, const RealPatterns& stored, double beta);

struct Settled {
  RealPatterns states;
  int64_t updates = 0;   ///< of the slowest state
  bool converged = true; ///< every one of them
};
/// Updates until no component moves by more than 1e-12 any more.
Settled settled(const RealPatterns& states, const RealPatterns& stored, double beta);

double distance(std::span<const double> a, std::span<const double> b);

/// Mean of patterns `begin` to `end` (not included).
std::vector<double> mean_pattern(const RealPatterns& patterns, int64_t begin, int64_t end);

} // namespace mneme::experiments
