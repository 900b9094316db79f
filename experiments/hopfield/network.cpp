// SPDX-License-Identifier: MIT

#include "experiments/hopfield/network.h"

#include <algorithm>
#include <cmath>

#include "mneme/data/random_patterns.h"
#include "mneme/memory/hopfield_network.h"

namespace mneme::experiments {
namespace {

/// Convergence threshold, much smaller than any distance of interest and larger than rounding errors of
/// float64.
constexpr double kConverged = 1e-12;
constexpr int64_t kUpdatesMax = 20'000; // states converge slowly near a transition

} // namespace

RealPatterns sphere_patterns(int64_t count, int64_t size, double radius_factor, const Random& random) {
  return normalised(data::random_sphere(count, size, random),
                    radius_factor * std::sqrt(static_cast<double>(size - 1)));
}

RealPatterns perturbed(RealPatterns patterns, double length, const Random& random) {
  const RealPatterns directions = data::random_sphere(patterns.count(), patterns.size(), random);
  for (int64_t i = 0; i < patterns.count(); ++i) {
    std::ranges::transform(patterns[i], directions[i], patterns[i].begin(),
                           [&](double x, double direction) { return x + length * direction; });
  }
  return patterns;
}

RealPatterns updated(const RealPatterns& states, const RealPatterns& stored, double beta) {
  return associate(states, stored, modern_hopfield(beta)).readout;
}

FixedPoints iterate_to_fixed_points(const RealPatterns& states, const RealPatterns& stored, double beta) {
  AssociateOptions<RealPatterns> network = modern_hopfield(beta);
  network.update = {.update_steps_max = kUpdatesMax,
                    .update_steps_eps = kConverged,
                    .convergence_criterion = ConvergenceCriterion::max_component_change};
  Recall<RealPatterns> recall = associate(states, stored, network);
  return {.states = std::move(recall.readout),
          .updates = recall.steps.empty() ? 0 : std::ranges::max(recall.steps),
          .converged = std::ranges::all_of(recall.converged, [](uint8_t is) { return is != 0; })};
}

double distance(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    sum += (a[k] - b[k]) * (a[k] - b[k]);
  }
  return std::sqrt(sum);
}

std::vector<double> mean_pattern(const RealPatterns& patterns, int64_t begin, int64_t end) {
  std::vector<double> mean(static_cast<size_t>(patterns.size()));
  for (int64_t i = begin; i < end; ++i) {
    for (size_t k = 0; k < mean.size(); ++k) {
      mean[k] += patterns[i][k] / static_cast<double>(end - begin);
    }
  }
  return mean;
}

} // namespace mneme::experiments
