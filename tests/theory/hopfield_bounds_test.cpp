// SPDX-License-Identifier: MIT

#include "mneme/theory/hopfield_bounds.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

TEST(HopfieldCapacity, MatchesThePublishedExamples) {
  const HopfieldCapacity small =
      hopfield_capacity({.size = 20, .radius_factor = 3, .beta = 1, .failure_probability = 0.001});
  EXPECT_NEAR(small.a + std::log(small.b), 1.2733, 5e-5);
  EXPECT_NEAR(small.c, 3.1546, 5e-5);
  EXPECT_NEAR(small.c_min, 2.3942, 5e-5);
  EXPECT_NEAR(std::exp(small.log_num_stored), 7.4, 0.05);
  EXPECT_TRUE(small.applies());
  const HopfieldCapacity large =
      hopfield_capacity({.size = 75, .radius_factor = 1, .beta = 1, .failure_probability = 0.001});
  EXPECT_NEAR(large.a + std::log(large.b), -0.9409, 5e-5);
  EXPECT_NEAR(large.c, 1.3719, 5e-5);
  EXPECT_NEAR(large.c_min, 1.2513, 5e-5);
  EXPECT_NEAR(std::exp(large.log_num_stored), 11.0, 0.05);
  EXPECT_TRUE(large.applies());
}

TEST(HopfieldCapacity, ReportsWhereTheTheoremDoesNotApply) {
  EXPECT_FALSE(
      hopfield_capacity({.size = 10, .radius_factor = 1, .beta = 1, .failure_probability = 0.001}).applies());
}

TEST(HopfieldCapacity, SolvesItsEquationForAnyBeta) {
  for (const double beta : {1e-6, 0.1, 1.0, 50.0, 1e5, 1e100}) {
    const HopfieldCapacity capacity = hopfield_capacity({.size = 64, .beta = beta});
    const double w = capacity.b / capacity.c, x = capacity.a + std::log(capacity.b);
    EXPECT_NEAR(w + std::log(w), x, 1e-13 * std::max(1.0, std::abs(x))) << beta;
  }
}

TEST(HopfieldCapacityGrowth, EqualsTheMaximisedExponent) {
  for (const double factor : {0.01, 0.5, 1.0, 3.0, 20.0}) {
    const double beta = 0.7, lambda = beta * factor * factor;
    double best = -HUGE_VAL; // maximum over the cosine t, by grid search
    for (int64_t i = 0; i < 1'000'000; ++i) {
      const double t = static_cast<double>(i) * 1e-6;
      best = std::max(best, lambda * t + std::log1p(-t * t) / 2);
    }
    EXPECT_NEAR(hopfield_capacity_growth(beta, factor), lambda - best, 1e-9 * std::max(1.0, lambda))
        << factor;
  }
}

TEST(HopfieldCapacityGrowth, IsThatOfTheSphereForALargeBeta) {
  // t is 1 - 1 / (2 lambda) there, so the rate approaches 1/2 + ln(lambda) / 2.
  for (const double lambda : {1e9, 1e17, 1e200, 1e307}) {
    EXPECT_NEAR(hopfield_capacity_growth(lambda, 1), 0.5 + std::log(lambda) / 2, 1e-8) << lambda;
  }
  EXPECT_NEAR(hopfield_capacity_growth(1e-300, 1) / 1e-300, 1, 1e-12);
}

TEST(HopfieldCapacityGrowth, ExceedsTheGuaranteeOfTheTheorem) {
  for (const int64_t size : {75, 200, 1000}) {
    EXPECT_GT(hopfield_capacity_growth(1, 1),
              hopfield_capacity({.size = size, .failure_probability = 0.001}).growth_rate());
  }
}

TEST(HopfieldBounds, EqualTheFormulasOfTheTheorems) {
  const HopfieldNetwork network{.beta = 2, .num_stored = 5, .max_norm = 3};
  EXPECT_DOUBLE_EQ(hopfield_energy_max(network), 18);
  EXPECT_NEAR(hopfield_min_gap(network), 2 / 10.0 + std::log(2 * 4 * 5 * 2 * 9.0) / 2, 1e-14);
  EXPECT_DOUBLE_EQ(hopfield_fixed_point_radius(network), 1 / 30.0);
  EXPECT_NEAR(hopfield_retrieval_error_max(network, 4, 0.5), 2 * 4 * 3 * std::exp(-2 * (4 - 3.0)), 1e-13);
  EXPECT_NEAR(hopfield_contraction_max(network, 4, 0.5), 2 * 2 * 5 * 4 * 9 * std::exp(-2.0), 1e-12);
  EXPECT_NEAR(hopfield_fixed_point_error_max(network, 4), 2 * std::exp(1) * 4 * 3 * std::exp(-8.0), 1e-14);
}

TEST(HopfieldBounds, AreZeroForASinglePattern) {
  const HopfieldNetwork alone{.beta = 2, .num_stored = 1, .max_norm = 3};
  EXPECT_EQ(hopfield_min_gap(alone), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(hopfield_retrieval_error_max(alone, std::numeric_limits<double>::infinity(), 1), 0);
}

TEST(HopfieldBounds, FixedPointIsUniqueAtSmallBeta) {
  EXPECT_TRUE(hopfield_has_unique_fixed_point(
      0.03, 5.48)); // in the published example the first transition is at a larger beta
  EXPECT_FALSE(hopfield_has_unique_fixed_point(0.05, 5.48));
}

TEST(HopfieldBounds, ReportInvalidArguments) {
  const auto error = [](HopfieldNetwork network) {
    return usage_error_of([&] { hopfield_min_gap(network); });
  };
  EXPECT_TRUE(contains_all(error({.beta = 0}), {"hopfield_min_gap", "beta is 0", "above 0"}));
  EXPECT_TRUE(contains_all(error({.num_stored = 0}), {"num_stored is 0", "at least 1"}));
  EXPECT_TRUE(contains_all(error({.max_norm = std::nan("")}), {"max_norm is nan"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { hopfield_retrieval_error_max({}, 1, -1); }), {"distance is -1"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { hopfield_contraction_max({}, std::nan(""), 0); }), {"gap is nan"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { hopfield_has_unique_fixed_point(-1, 0); }), {"beta is -1"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { hopfield_capacity({.size = 1}); }), {"size is 1", "at least 2"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { hopfield_capacity({.failure_probability = 1}); }),
                           {"failure_probability is 1"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { hopfield_capacity({.radius_factor = -2}); }),
                           {"radius_factor is -2"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { hopfield_capacity_growth(1, 0); }),
                           {"radius_factor is 0", "above 0"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { hopfield_capacity_growth(1e300, 1e300); }),
                           {"2 beta radius_factor^2 is inf"}));
}

} // namespace
} // namespace mneme::theory
