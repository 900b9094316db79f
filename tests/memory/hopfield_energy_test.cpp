// SPDX-License-Identifier: MIT

#include "mneme/memory/hopfield_energy.h"

#include <cmath>
#include <limits>

#include "memory/samples.h"
#include "mneme/memory/hopfield_network.h"
#include "mneme/theory/hopfield_bounds.h"

namespace mneme {
namespace {

constexpr double kRounding = 1e-10; // rounding error of energies of about 100 after a few hundred additions

RealPatterns scaled(RealPatterns patterns, double factor) {
  for (int64_t i = 0; i < patterns.count() * patterns.size(); ++i) {
    patterns.data()[i] *= factor;
  }
  return patterns;
}

double distance(const RealPatterns& a, int64_t i, const RealPatterns& b, int64_t j) {
  double sum = 0;
  for (size_t k = 0; k < a[i].size(); ++k) {
    sum += (a[i][k] - b[j][k]) * (a[i][k] - b[j][k]);
  }
  return std::sqrt(sum);
}

TEST(HopfieldEnergy, DecreasesByAtLeastHalfTheSquaredStepInEveryUpdate) {
  const RealPatterns stored = scaled(test::random_sphere(30, 12, 1), 4);
  for (const double beta : {0.01, 0.3, 2.0, 100.0}) {
    RealPatterns states = scaled(test::random_sphere(20, 12, 2), 6); // also outside of the patterns' hull
    for (int update = 0; update < 8; ++update) {
      const std::vector<double> before = hopfield_energy(states, stored, beta);
      const RealPatterns next = associate(states, stored, modern_hopfield(beta)).readout;
      const std::vector<double> after = hopfield_energy(next, stored, beta);
      for (int64_t i = 0; i < states.count(); ++i) {
        const double step = distance(next, i, states, i);
        EXPECT_GE(before[size_t(i)] - after[size_t(i)], step * step / 2 - kRounding) << beta;
      }
      states = next;
    }
  }
}

TEST(HopfieldEnergy, IsBetweenZeroAndItsMaximumWithinTheHull) {
  const RealPatterns stored = scaled(test::random_sphere(30, 12, 3), 4);
  for (const double beta : {0.01, 1.0, 100.0}) {
    const RealPatterns states =
        associate(test::random_sphere(50, 12, 4), stored, modern_hopfield(beta)).readout;
    for (const double energy : hopfield_energy(states, stored, beta)) {
      EXPECT_GE(energy, -kRounding);
      EXPECT_LE(energy, theory::hopfield_energy_max({.beta = beta, .max_norm = max_norm(stored)}));
    }
  }
}

TEST(HopfieldEnergy, IsFiniteWhereExponentialsOverflow) {
  const RealPatterns stored = scaled(test::random_sphere(5, 8, 5), 1000);
  const std::vector<double> energy = hopfield_energy(stored, stored, 1000);
  for (const double value : energy) { // each at its own pattern: the minimum, ln(5) / beta above 0
    EXPECT_NEAR(value, std::log(5.0) / 1000, 1e-8);
  }
}

TEST(HopfieldEnergy, OfASmallBetaIsThatOfTheMeanPattern) {
  const RealPatterns stored(3, 2, {1, 2, -1, 0.5, 3, 0}), state(1, 2, {0.25, -1});
  // -mean . xi + xi . xi / 2 + M^2 / 2
  const double expected = -(1 * 0.25 - 2.5 / 3) + (0.0625 + 1) / 2 + 9.0 / 2;
  for (const double beta : {1e-15, 1e-100, 1e-300}) {
    EXPECT_NEAR(hopfield_energy(state, stored, beta)[0], expected, 1e-13) << beta;
  }
}

TEST(HopfieldGaps, AreTheDifferenceToTheNextBestPattern) {
  const RealPatterns stored(3, 2, {3, 0, 2, 0, 0, 1});
  const std::vector<double> gaps = hopfield_gaps(stored);
  EXPECT_EQ(gaps, (std::vector<double>{9 - 6, 4 - 6, 1 - 0}));
  EXPECT_EQ(hopfield_gaps(RealPatterns(1, 2, {3, 0}))[0], std::numeric_limits<double>::infinity());
  EXPECT_EQ(max_norm(stored), 3);
}

TEST(HopfieldGaps, BoundTheErrorOfOneUpdateAsInTheTheorem) {
  const RealPatterns stored = scaled(test::random_sphere(40, 64, 6), 6);
  const double beta = 1;
  const theory::HopfieldNetwork network{.beta = beta, .num_stored = 40, .max_norm = max_norm(stored)};
  const double near = theory::hopfield_fixed_point_radius(network);
  const std::vector<double> gaps = hopfield_gaps(stored);
  RealPatterns states = stored;
  const RealPatterns directions = test::random_sphere(40, 64, 7);
  for (int64_t i = 0; i < 40; ++i) {
    ASSERT_GT(gaps[size_t(i)],
              theory::hopfield_min_gap(network)); // well separated, so that the theorem applies
    for (size_t k = 0; k < 64; ++k) {
      states[i][k] += near * directions[i][k];
    }
  }
  const RealPatterns after = associate(states, stored, modern_hopfield(beta)).readout;
  double tightest = 0;
  for (int64_t i = 0; i < 40; ++i) {
    const double bound = theory::hopfield_retrieval_error_max(network, gaps[size_t(i)], near);
    EXPECT_LE(distance(after, i, stored, i), bound) << i;
    tightest = std::max(tightest, distance(after, i, stored, i) / bound);
  }
  EXPECT_GT(tightest, 1e-3); // the bound is not trivial
}

TEST(TopPCount, CountsTheLargestFirst) {
  const std::vector<double> weights = {0.1, 0.5, 0.15, 0.25};
  EXPECT_EQ(top_p_count(weights, 0.5), 1);
  EXPECT_EQ(top_p_count(weights, 0.51), 2);
  EXPECT_EQ(top_p_count(weights, 0.9), 3);
  EXPECT_EQ(top_p_count(weights, 1), 4);
  EXPECT_EQ(top_p_count({}, 0.9), 0);
}

TEST(TopPCount, RejectsNumbersThatAreNoWeights) {
  const auto error_of = [](std::vector<double> weights) {
    return test::usage_error([&] { top_p_count(weights, 0.5); });
  };
  test::expect_contains(error_of({std::nan(""), 1}), {"weight 0 is nan"});
  test::expect_contains(error_of({1, HUGE_VAL}), {"weight 1 is inf"});
  test::expect_contains(error_of({-1, 1}), {"weight 0 is -1"});
  test::expect_contains(error_of({1e308, 1e308}), {"overflows"});
  EXPECT_EQ(top_p_count(std::vector<double>(3, 0.0), 0.5), 0);
}

TEST(MaxNorm, IsFiniteWhereSquaresOverflow) {
  EXPECT_DOUBLE_EQ(max_norm(RealPatterns(2, 2, {3e200, 4e200, 1, 1})), 5e200);
  EXPECT_DOUBLE_EQ(max_norm(RealPatterns(1, 2, {3e-200, 4e-200})), 5e-200);
  EXPECT_EQ(max_norm(RealPatterns(0, 2)), 0);
  EXPECT_EQ(max_norm(RealPatterns(1, 2, {1.7e308, 1.7e308})), HUGE_VAL);
  test::expect_contains(test::usage_error([] {
                          max_norm(RealPatterns(2, 1, {1, std::nan("")}));
                        }),
                        {"pattern 1", "nan"});
}

TEST(HopfieldEnergy, ReportsInvalidArguments) {
  const RealPatterns stored(2, 3), states(1, 4);
  test::expect_contains(test::usage_error([&] { hopfield_energy(stored, stored, 0); }), {"beta is 0"});
  test::expect_contains(test::usage_error([&] { hopfield_energy(stored, stored, HUGE_VAL); }),
                        {"beta is inf"});
  test::expect_contains(test::usage_error([&] { hopfield_energy(states, stored, 1); }), {"4", "3"});
  test::expect_contains(
      test::usage_error([&] { hopfield_energy(RealPatterns(1, 3), RealPatterns(0, 3), 1); }),
      {"0 stored patterns"});
  test::expect_contains(test::usage_error([&] { hopfield_gaps(RealPatterns(1, 1, {std::nan("")})); }),
                        {"nan"});
  test::expect_contains(test::usage_error([&] { top_p_count({}, 0); }), {"p is 0"});
}

} // namespace
} // namespace mneme
