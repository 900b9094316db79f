// SPDX-License-Identifier: MIT

#include "mneme/theory/capacity.h"

#include <cmath>
#include <utility>

#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/theory/signal_to_noise.h"
#include "mneme/theory/space_fraction.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

TEST(ZPerBit, MakesAllBitsCorrectWithTheGivenProbability) {
  EXPECT_NEAR(z_per_bit(64), 2.298313131383402, 1e-13);
  EXPECT_NEAR(z_per_bit(1, 0.5), 0, 1e-16);
  EXPECT_NEAR(z_per_bit(1, 0.1), -z_per_bit(1, 0.9), 1e-15);
  EXPECT_NEAR(z_per_bit(1, 1e-300), -37.0471, 1e-4);
  for (const int64_t bits : {1, 64, 1000, 10'000'000}) {
    for (const double probability : {0.01, 0.5, 0.99, 1 - 1e-12}) {
      const double wrong =
          0.5 * std::erfc(z_per_bit(bits, probability) / std::sqrt(2.0)); // probability that one bit is wrong
      EXPECT_NEAR(std::log1p(-wrong) * static_cast<double>(bits) / std::log(probability), 1, 1e-9);
    }
  }
}

TEST(CapacitySpaceFraction, IsTheRootOfItsCubic) {
  for (const double r : {1.0, 100.0, 1e6, 1e20, 1e38, 1e100}) {
    for (const double z : {0.5, 2.3, 6.0}) {
      const double p = capacity_space_fraction(r, z);
      if (p < 1) { // divided by z^2 to avoid overflow
        const double x = r * p / z;
        EXPECT_NEAR(2 * x * x * p - 3 * x * z * p - 1, 0, 1e-12) << r << " " << z;
      }
    }
  }
}

TEST(CapacitySpaceFraction, MatchesThePublishedRadii) {
  EXPECT_NEAR(capacity_space_fraction(std::pow(2.0, 64), z_per_bit(64)) / 1.979930592478041e-13, 1, 1e-12);
  EXPECT_EQ(hamming_radius_for_capacity(64, std::pow(2.0, 64)), 5);
  EXPECT_EQ(hamming_radius_for_capacity(1000, 1e6), 444);
}

TEST(Capacity, MatchesThePublishedNumbersOfPatterns) {
  EXPECT_NEAR(capacity(1.4563484775012504e-4, 1e6, 2.33), 173650.86069380387, 1e-6);
  EXPECT_NEAR(capacity(0.00017753521186775512, 1e6, z_per_bit(1000)), 89355.51379880677, 1e-4);
}

TEST(Capacity, IsMaximalAtItsSpaceFraction) {
  const double z = z_per_bit(1000), best = capacity_space_fraction(1e6, z);
  const double max = capacity(best, 1e6, z);
  for (const double factor : {0.5, 0.8, 1.25, 2.0}) {
    EXPECT_LT(capacity(factor * best, 1e6, z), max) << factor;
  }
}

TEST(Capacity, OfTheBestRadiusIsTheLargest) {
  EXPECT_EQ(best_hamming_radius_for_capacity(1000, 1e6), 443); // the published formula rounds up to 444
  for (const auto& [bits, locations] :
       {std::pair<int64_t, double>(32, 1000), {64, 1e19}, {200, 1e4}, {1, 10}, {500, 1}}) {
    const double z = z_per_bit(bits, 0.9);
    const int64_t best = best_hamming_radius_for_capacity(bits, locations, 0.9);
    for (int64_t radius = 0; radius <= bits; ++radius) {
      EXPECT_LE(capacity(space_fraction(bits, radius), locations, z),
                capacity(space_fraction(bits, best), locations, z) * (1 + 1e-12)) // rounding errors
          << bits << " bits, radius " << radius << " or " << best;
    }
  }
}

TEST(Capacity, TheSearchForTheBestRadiusCanBeInterrupted) {
  request_interrupt();
  EXPECT_THROW(best_hamming_radius_for_capacity(1000, 1e6), Interrupted);
  EXPECT_THROW(best_hamming_radius_for_signal_to_noise({.bits = 1000, .hard_locations = 1, .patterns = 10}),
               Interrupted);
  clear_interrupt();
}

TEST(Capacity, OfADyadicMemory) {
  EXPECT_EQ(dyadic_memory_capacity(1000, 10), 500'000);
  EXPECT_EQ(dyadic_memory_capacity(256, 8), 16'384);
  EXPECT_TRUE(contains_all(usage_error_of([] { dyadic_memory_capacity(10, 1); }), {"ones is 1", "2 .. 10"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { dyadic_memory_capacity(1, 1); }), {"bits is 1"}));
}

TEST(Capacity, ReportsInvalidArguments) {
  EXPECT_TRUE(contains_all(usage_error_of([] { capacity(0, 1e6, 2); }), {"space_fraction is 0"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { capacity(1.5, 1e6, 2); }), {"space_fraction is 1.5"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { capacity(0.1, 0, 2); }), {"hard_locations is 0"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { capacity(0.1, 10, 0); }), {"z is 0"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { capacity_space_fraction(10, std::nan("")); }), {"z is nan"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { z_per_bit(64, 1); }), {"probability is 1"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { z_per_bit(0); }), {"bits is 0"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { hamming_radius_for_capacity(64, 0.5); }), {"hard_locations is 0.5"}));
}

} // namespace
} // namespace mneme::theory
