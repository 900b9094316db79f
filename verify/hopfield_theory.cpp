// SPDX-License-Identifier: MIT

#include <cmath>

#include <fmt/format.h>

#include "mneme/memory/hopfield_energy.h"
#include "mneme/memory/hopfield_network.h"
#include "mneme/theory/hopfield_bounds.h"
#include "verify/case_tensors.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

// Both sides are float64; slow convergence amplifies rounding errors by up to 100.
constexpr double kTolerance = 1e-9;

RealPatterns patterns_of(const CaseTensors& tensors, const std::string& name) {
  const std::vector<int64_t> shape = tensors.shape(name, 2);
  return {shape[0], shape[1], tensors.numbers(name, shape)};
}

void expect_pattern(Checker& checker, const std::string& where, std::span<const double> expected,
                    std::span<const double> actual) {
  for (size_t i = 0; i < expected.size(); ++i) {
    checker.near(fmt::format("{} at {}", where, i), expected[i], actual[i], kTolerance);
  }
}

double distance(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return std::sqrt(sum);
}

std::vector<double> mean_of(const RealPatterns& patterns, int64_t count) {
  std::vector<double> mean(static_cast<size_t>(patterns.size()));
  for (int64_t i = 0; i < count; ++i) {
    for (size_t k = 0; k < mean.size(); ++k) {
      mean[k] += patterns[i][k] / static_cast<double>(count);
    }
  }
  return mean;
}

/// Compares states of successive updates and their energies, which must decrease and stay within bounds.
void check_energy(const GoldenValue& file, const CaseTensors& tensors, Checker& checker) {
  const RealPatterns stored = patterns_of(tensors, "input.patterns");
  const std::vector<double> betas = tensors.numbers("input.beta", tensors.shape("input.beta", 1));
  const auto count = static_cast<int64_t>(betas.size());
  const int64_t states = tensors.shape("output.energy", 2)[1], size = stored.size();
  const std::vector<double> energies = tensors.numbers("output.energy", {count, states}),
                            expected = tensors.numbers("output.states", {count, states, size});
  for (int64_t b = 0; b < count; ++b) {
    const double beta = betas[static_cast<size_t>(b)];
    const double energy_max = theory::hopfield_energy_max({.beta = beta, .max_norm = max_norm(stored)});
    checker.near(file.at("max_energy_2M2"), energy_max, kTolerance * energy_max);
    RealPatterns state(1, size, tensors.numbers("input.state", {size}));
    double before = HUGE_VAL;
    for (int64_t t = 0; t < states; ++t) {
      const auto row = static_cast<size_t>(b * states + t);
      const std::string where = fmt::format("beta {}, update {}", beta, t);
      expect_pattern(checker, where + ", state",
                     std::span(expected).subspan(row * static_cast<size_t>(size), static_cast<size_t>(size)),
                     state[0]);
      const double energy = hopfield_energy(state, stored, beta)[0];
      checker.near(where + ", energy", energies[row], energy, kTolerance);
      if (energy > before + kTolerance || energy < -kTolerance) {
        checker.fail(where, fmt::format("the energy is {} after {}; it must not increase, nor be negative",
                                        energy, before));
      }
      before = energy;
      state = associate(state, stored, modern_hopfield(beta)).readout;
    }
  }
}

/// Compares the fixed point reached from the first pattern, which is near the mean of all patterns, the mean
/// of its cluster, or one pattern.
void check_regimes(const GoldenValue& file, const CaseTensors& tensors, Checker& checker) {
  const RealPatterns stored = patterns_of(tensors, "input.patterns");
  const std::vector<double> betas = tensors.numbers("input.beta", tensors.shape("input.beta", 1));
  const auto count = static_cast<int64_t>(betas.size());
  const std::vector<double> fixed_points = tensors.numbers("output.fixed_points", {count, stored.size()}),
                            k90 = tensors.numbers("output.k90", {count}),
                            distances = tensors.numbers("output.distance_mean_cluster_pattern", {count, 3});
  const int64_t cluster = file.at("patterns_per_cluster").integer_between(1, stored.count());
  for (size_t b = 0; b < betas.size(); ++b) {
    AssociateOptions<RealPatterns> network = modern_hopfield(betas[b]);
    network.update = {.update_steps_max = 10'000,
                      .update_steps_eps = 1e-13,
                      .convergence_criterion = ConvergenceCriterion::max_component_change};
    const RealPatterns point = associate(slice(stored, 0, 1), stored, network).readout;
    const std::string where = fmt::format("beta {}", betas[b]);
    expect_pattern(checker, where + ", fixed point",
                   std::span(fixed_points)
                       .subspan(b * static_cast<size_t>(stored.size()), static_cast<size_t>(stored.size())),
                   point[0]);
    const RealPatterns weights = separate(similarity(point, stored, Dot{}), Softmax{betas[b]});
    checker.near(where + ", k90", k90[b], static_cast<double>(top_p_count(weights[0], 0.9)), 0);
    checker.near(where + ", distance to the mean", distances[3 * b],
                 distance(point[0], mean_of(stored, stored.count())), kTolerance);
    checker.near(where + ", distance to the cluster", distances[3 * b + 1],
                 distance(point[0], mean_of(stored, cluster)), kTolerance);
    checker.near(where + ", distance to the pattern", distances[3 * b + 2], distance(point[0], stored[0]),
                 kTolerance);
  }
}

} // namespace

/// Updates, energies and fixed points of modern Hopfield networks.
void run_hopfield_theory(const GoldenValue& file, Checker& checker) {
  checker.one_case(file, [&](const GoldenValue&) {
    const CaseTensors tensors(checker.file());
    if (file.has("max_energy_2M2")) {
      check_energy(file, tensors, checker);
    } else if (file.has("patterns_per_cluster")) {
      check_regimes(file, tensors, checker);
    } else {
      file.fail("max_energy_2M2 (energies) or patterns_per_cluster (fixed points)");
    }
  });
}

} // namespace mneme::verify
