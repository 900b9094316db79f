// SPDX-License-Identifier: MIT

#include "mneme/theory/hard_location_near.h"

#include <cmath>

#include <gtest/gtest.h>

#include "mneme/theory/space_fraction.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

TEST(HardLocationNear, IsOneMinusTheProbabilityOfNone) {
  const double p = space_fraction(64, 13);
  EXPECT_NEAR(probability_of_hard_location_near(64, 3, 13), 1 - std::pow(1 - p, 3), 1e-15);
  EXPECT_NEAR(probability_of_hard_location_near(64, 1, 13) / p, 1, 1e-14);
  EXPECT_EQ(probability_of_hard_location_near(64, 10, 64), 1);
  EXPECT_EQ(probability_of_hard_location_near(64, 1e100, 0), 1);
}

TEST(HardLocationNear, ApproximatesTheExpectedNumberWhereItIsSmall) {
  EXPECT_NEAR(probability_of_hard_location_near(1000, 1e6, 300) / (1e6 * space_fraction(1000, 300)), 1,
              1e-12);
}

TEST(HardLocationNear, IncreasesWithRadiusAndLocations) {
  double last = 0;
  for (int64_t radius = 0; radius <= 64; ++radius) {
    const double here = probability_of_hard_location_near(64, 1e5, radius);
    EXPECT_GE(here, last);
    EXPECT_GE(probability_of_hard_location_near(64, 2e5, radius), here);
    last = here;
  }
}

TEST(HardLocationNear, IsInvertedByItsRadius) {
  for (const double probability : {1e-9, 0.5, 0.99, 1 - 1e-9}) {
    const int64_t radius = hamming_radius_for_hard_location_near(1000, 1e6, probability);
    EXPECT_GE(probability_of_hard_location_near(1000, 1e6, radius), probability);
    EXPECT_LT(probability_of_hard_location_near(1000, 1e6, radius - 1), probability);
  }
}

TEST(HardLocationNear, IsOneOnlyForTheEntireSpace) {
  for (const int64_t bits : {1, 2, 64, 1000, 10000}) {
    for (const double locations : {1.0, 1e6}) {
      EXPECT_EQ(hamming_radius_for_hard_location_near(bits, locations, 1), bits);
    }
  }
  // One location: a circle of radius 49 of 50 bits omits 2^-50 of the space, one of radius 48 omits 51 x
  // 2^-50.
  EXPECT_EQ(hamming_radius_for_hard_location_near(50, 1, 1 - 0.5 * std::ldexp(1.0, -50)), 50);
  EXPECT_EQ(hamming_radius_for_hard_location_near(50, 1, 1 - 40 * std::ldexp(1.0, -50)), 49);
  EXPECT_EQ(hamming_radius_for_hard_location_near(50, 1, 1 - 60 * std::ldexp(1.0, -50)), 48);
}

TEST(HardLocationNear, PublishedNearestLocationIsAt424) {
  EXPECT_NEAR(published_nearest_hard_location(1000, 1e6), 424.84176249454015, 1e-9);
  EXPECT_LT(published_hard_location_near(1000, 1e6, 415).probability, 0.1);
  EXPECT_GT(published_hard_location_near(1000, 1e6, 432).probability, 0.99);
  EXPECT_NEAR(published_hard_location_near(1000, 1e6, 500).expected, 5e5, 1e-9);
}

TEST(HardLocationNear, ReportsInvalidArguments) {
  EXPECT_TRUE(contains_all(usage_error_of([] { probability_of_hard_location_near(64, 0, 5); }),
                           {"hard_locations is 0"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { published_hard_location_near(64, 10, 65); }), {"65", "64"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { hamming_radius_for_hard_location_near(64, 10, 0); }),
                           {"probability is 0"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { hamming_radius_for_hard_location_near(64, 10, 1.5); }),
                           {"probability is 1.5"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { published_nearest_hard_location(64, 1); }), {"hard_locations is 1"}));
}

} // namespace
} // namespace mneme::theory
