// SPDX-License-Identifier: MIT

#include "mneme/theory/shared_locations.h"

#include <cmath>
#include <limits>
#include <numbers>

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <gtest/gtest.h>

#include "mneme/theory/circle_intersection.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

using Real = boost::multiprecision::cpp_bin_float_50;

Real exact_lambda(int64_t bits, double hard_locations, int64_t radius, int64_t distance) {
  return Real(circle_intersection_count(bits, radius, distance)) * Real(hard_locations) /
         boost::multiprecision::pow(Real(2), static_cast<int>(bits));
}

void expect_close(double value, const Real& exact, double relative) {
  EXPECT_NEAR(static_cast<double>(Real(value) / exact), 1, relative);
}

TEST(SharedLocations, EqualTheDensityTimesTheExactCount) {
  for (const auto& [bits, radius] : {std::pair<int64_t, int64_t>{64, 11}, {1000, 451}, {10000, 4700}}) {
    const SharedLocations shared = shared_locations(bits, 1e6, radius);
    ASSERT_EQ(shared.at_distance.size(), static_cast<size_t>(bits) + 1);
    for (const int64_t distance : {int64_t{0}, int64_t{1}, radius / 2, radius, 2 * radius}) {
      expect_close(shared.at_distance[static_cast<size_t>(distance)],
                   exact_lambda(bits, 1e6, radius, distance), 1e-10);
    }
  }
}

// The means are closed forms; the reference sums over all distances.
TEST(SharedLocations, MeansEqualSumsOverAllDistances) {
  for (const auto& [bits, radius] :
       {std::pair<int64_t, int64_t>{1, 0}, {7, 3}, {64, 19}, {64, 40}, {300, 130}}) {
    SCOPED_TRACE(testing::Message() << bits << " bits, radius " << radius);
    const double locations = 12345;
    Real probability = boost::multiprecision::pow(Real(2), static_cast<int>(-bits));
    Real mean = 0, mean_square = 0, alignment = 0;
    for (int64_t v = 0; v <= bits; ++v) {
      const Real lambda = exact_lambda(bits, locations, radius, v);
      mean += probability * lambda;
      mean_square += probability * lambda * lambda;
      alignment += probability * lambda * (1 - Real(2 * v) / bits);
      probability = probability * (bits - v) / (v + 1);
    }
    const SharedLocations shared = shared_locations(bits, locations, radius);
    expect_close(shared.mean, mean, 1e-10);
    expect_close(shared.mean_square, mean_square, 1e-10);
    expect_close(shared.alignment, alignment, 1e-10);
  }
}

TEST(SharedLocations, MatchTheNumbersOfTheFullSizeExperiment) {
  const SharedLocations shared = shared_locations(1000, 1e6, 451);
  EXPECT_NEAR(shared.mean, 1.14886, 5e-6);
  EXPECT_NEAR(shared.mean_square, 1.49299, 1e-5);
  EXPECT_NEAR(10000 * shared.alignment, 128.6, 0.05);
  EXPECT_NEAR(shared.at_distance[200], 103.5, 0.05);
}

TEST(SharedLocations, DoNotOverflow) {
  const SharedLocations shared = shared_locations(10000, 1e100, 10000);
  EXPECT_NEAR(shared.at_distance[10000] / 1e100, 1, 1e-10);
  EXPECT_NEAR(shared.mean_square / 1e200, 1, 1e-10);
  EXPECT_EQ(shared_locations(10000, 1, 3).at_distance[0], 0); // underflows
}

TEST(SharedLocations, ReportInvalidArguments) {
  EXPECT_TRUE(contains_all(usage_error_of([] { shared_locations(0, 10, 0); }), {"bits is 0"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { shared_locations(64, 0, 5); }), {"hard_locations is 0"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { shared_locations(64, -3, 5); }), {"hard_locations is -3"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { shared_locations(64, std::nan(""), 5); }), {"hard_locations is nan"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { shared_locations(64, 1e101, 5); }), {"1e+101", "1e+100"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { shared_locations(64, 10, 65); }), {"65", "64"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { shared_locations(64, 10, -1); }), {"-1", "64"}));
}

} // namespace
} // namespace mneme::theory
