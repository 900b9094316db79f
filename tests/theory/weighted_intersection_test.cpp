// SPDX-License-Identifier: MIT

#include "mneme/theory/weighted_intersection.h"

#include <bit>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "mneme/theory/circle_intersection.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

double weight_of(AddressWeight weight, int bits, int from_first, int from_second) {
  switch (weight) {
  case AddressWeight::linear:
    return (1 - double(from_first) / bits) * (1 - double(from_second) / bits);
  case AddressWeight::exponential:
    return std::exp(-0.01 * from_first) * std::exp(-0.01 * from_second);
  case AddressWeight::one:
    break;
  }
  return 1;
}

TEST(WeightedIntersection, EqualsTheSumOverTheAddressesInBothCircles) {
  constexpr int kBits = 9;
  for (const AddressWeight weight : {AddressWeight::one, AddressWeight::linear, AddressWeight::exponential}) {
    for (int radius = 0; radius <= kBits; ++radius) {
      for (int distance = 0; distance <= kBits; ++distance) {
        const unsigned other = (1U << distance) - 1;
        double sum = 0;
        for (unsigned address = 0; address < 1U << kBits; ++address) {
          const int first = std::popcount(address), second = std::popcount(address ^ other);
          sum += first <= radius && second <= radius ? weight_of(weight, kBits, first, second) : 0;
        }
        EXPECT_NEAR(std::exp(log_weighted_intersection(kBits, radius, distance, weight)), sum, 1e-12 * sum)
            << radius << " " << distance;
      }
    }
  }
}

TEST(WeightedIntersection, WithWeightOneEqualsTheCircleIntersectionAt10000Bits) {
  for (const int64_t radius : {40, 4700, 5100}) {
    for (const int64_t distance : {0, 1, 60, 5000, 9000, 10000}) {
      const double log = log_circle_intersection(10000, radius, distance);
      const double weighted = log_weighted_intersection(10000, radius, distance, AddressWeight::one);
      EXPECT_TRUE(weighted == log || std::abs(weighted - log) <= 1e-12 * std::abs(log))
          << radius << " " << distance << ": " << weighted << " " << log;
    }
  }
}

TEST(WeightedIntersection, ReportsInvalidArguments) {
  EXPECT_TRUE(contains_all(
      usage_error_of([] { log_weighted_intersection(64, 65, 0, AddressWeight::linear); }), {"65", "64"}));
  EXPECT_TRUE(contains_all(
      usage_error_of([] { log_weighted_intersection(64, 5, 65, AddressWeight::linear); }), {"65", "64"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { log_weighted_intersection(0, 0, 0, AddressWeight::one); }),
                           {"bits is 0"}));
}

} // namespace
} // namespace mneme::theory
