// SPDX-License-Identifier: MIT

#include "mneme/theory/book_intersection.h"

#include <cmath>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

double phi(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}

// The integral is a probability of two correlated normal variables, which are equal at distance 0 and
// independent at n/2.
TEST(BookIntersection, IsTheNormalFractionAtZeroAndItsSquareAtHalfOfTheBits) {
  for (const auto& [bits, radius] : std::vector<std::pair<int64_t, int64_t>>{
           {2, 1}, {64, 11}, {64, 32}, {64, 50}, {1000, 411}, {1000, 500}, {1000, 640}, {10000, 4700}}) {
    SCOPED_TRACE(testing::Message() << bits << " bits, radius " << radius);
    const double p = phi((radius - bits / 2.0) / std::sqrt(bits / 4.0));
    EXPECT_NEAR(std::exp(log_book_intersection(bits, radius, 0)) / p, 1, 1e-10);
    EXPECT_NEAR(std::exp(log_book_intersection(bits, radius, bits / 2)) / (p * p), 1, 1e-10);
  }
}

TEST(BookIntersection, DecreasesByItsDensity) {
  for (const int64_t radius : {411, 451, 520}) {
    for (const int64_t distance : {101, 400, 700}) {
      const double decrease = std::exp(log_book_intersection(1000, radius, distance - 1)) -
                              std::exp(log_book_intersection(1000, radius, distance + 1));
      const double density = book_intersection_density(1000, radius, static_cast<double>(distance) / 1000);
      EXPECT_NEAR(decrease / 0.002 / density, 1, 0.01); // finite difference over 2 bits
    }
  }
}

// Recomputed by Bricken & Pehlevan for n = 1000, 10^6 hard locations, d = 451.
TEST(BookIntersection, MatchesThePublishedNumbersOfHardLocations) {
  for (const auto& [distance, expected] : std::vector<std::pair<int64_t, double>>{{0, 970.769893},
                                                                                  {1, 888.214545},
                                                                                  {10, 713.056676},
                                                                                  {50, 426.702117},
                                                                                  {100, 254.636411},
                                                                                  {150, 153.930182},
                                                                                  {200, 91.252432},
                                                                                  {300, 28.196980},
                                                                                  {400, 6.553410},
                                                                                  {500, 0.942394}}) {
    EXPECT_NEAR(1e6 * std::exp(log_book_intersection(1000, 451, distance)), expected, 1e-6);
  }
}

TEST(BookIntersection, LogarithmIsFiniteForTinyFractions) {
  constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(log_book_intersection(1000, 451, 1000), kMinusInfinity);
  const double far = log_book_intersection(1'000'000, 0, 999'000);
  EXPECT_TRUE(std::isfinite(far)) << far;
  EXPECT_LT(far, -1e8);
  EXPECT_GT(log_book_intersection(1000, 600, 1000), std::log(0.9));
}

TEST(BookIntersection, ReportsInvalidArguments) {
  EXPECT_TRUE(contains_all(usage_error_of([] { log_book_intersection(64, 65, 0); }), {"65", "64"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { log_book_intersection(64, 5, -1); }), {"-1", "64"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { book_intersection_density(64, 5, 0); }), {"x is 0"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { book_intersection_density(64, 5, std::nan("")); }), {"x is nan"}));
}

} // namespace
} // namespace mneme::theory
