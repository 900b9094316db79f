// SPDX-License-Identifier: MIT

#include "mneme/theory/space_fraction.h"

#include <cmath>
#include <limits>
#include <numbers>

#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "mneme/theory/circle_intersection.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

TEST(SpaceFraction, EqualsTheIntersectionOfACircleWithItself) {
  for (const int64_t bits : {1, 5, 64, 1000}) {
    for (int64_t radius = 0; radius <= bits; radius += std::max<int64_t>(1, bits / 50)) {
      const double log =
          log_circle_intersection(bits, radius, 0) - static_cast<double>(bits) * std::numbers::ln2;
      EXPECT_NEAR(log_space_fraction(bits, radius), log, 1e-12 * (1 + std::abs(log)));
      EXPECT_NEAR(space_fraction(bits, radius), std::exp(log), 1e-11 * std::exp(log));
    }
  }
}

TEST(SpaceFraction, LogarithmIsFiniteWhereTheFractionUnderflows) {
  EXPECT_NEAR(log_space_fraction(10000, 0), -10000 * std::numbers::ln2, 1e-8);
  EXPECT_EQ(space_fraction(10000, 0), 0);
  EXPECT_NEAR(log_space_fraction(64, 63) / -std::pow(2.0, -64), 1, 1e-12); // all but one address
  EXPECT_EQ(space_fraction(64, 64), 1);
}

TEST(SpaceFraction, IsInvertedByItsRadius) {
  for (const int64_t bits : {1, 7, 64, 301}) {
    for (int64_t radius = 0; radius <= bits; ++radius) {
      const double fraction = space_fraction(bits, radius);
      const int64_t back = hamming_radius_for_space_fraction(bits, fraction);
      EXPECT_EQ(back, fraction < 1 ? radius : bits);
    }
  }
}

TEST(SpaceFraction, MatchesThePublishedRadii) {
  EXPECT_EQ(hamming_radius_for_space_fraction(64, 1e-13), 5);
  EXPECT_EQ(hamming_radius_for_space_fraction(100, 4e-13), 16);
  EXPECT_EQ(hamming_radius_for_space_fraction(784, 3.68e-4), 345);
  EXPECT_EQ(hamming_radius_for_space_fraction(1000, 0.1), 480);
  EXPECT_EQ(hamming_radius_for_space_fraction(3, 0.5), 1);
  EXPECT_EQ(hamming_radius_for_space_fraction(64, 1), 64);
  EXPECT_EQ(hamming_radius_for_space_fraction(64, std::numeric_limits<double>::denorm_min()), 0);
}

TEST(SpaceFraction, RejectsFractionsOutOfRange) {
  EXPECT_TRUE(
      contains_all(usage_error_of([] { hamming_radius_for_space_fraction(64, 0); }), {"fraction is 0"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { hamming_radius_for_space_fraction(64, 1.5); }), {"1.5"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { hamming_radius_for_space_fraction(64, std::nan("")); }), {"nan"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { space_fraction(64, 70); }), {"70", "64"}));
}

TEST(CosineToHamming, RoundsDown) {
  EXPECT_EQ(cosine_to_hamming(64, 0.1), 28);  // 28.8
  EXPECT_EQ(cosine_to_hamming(64, -0.2), 38); // 38.4
  EXPECT_EQ(cosine_to_hamming(64, 1), 0);
  EXPECT_EQ(cosine_to_hamming(64, -1), 64);
  EXPECT_EQ(cosine_to_hamming(1000, 1 + 9e-5), 0);
}

TEST(CosineToHamming, IsTheInverseOfHammingToCosine) {
  for (const int64_t bits : {1, 3, 49, 64, 100, 784, 999, 10007}) {
    for (int64_t distance = 0; distance <= bits; ++distance) {
      ASSERT_EQ(cosine_to_hamming(bits, hamming_to_cosine(bits, distance)), distance) << bits << " bits";
    }
  }
}

TEST(CosineToHamming, RejectsInvalidCosines) {
  EXPECT_TRUE(contains_all(usage_error_of([] { cosine_to_hamming(64, 1.01); }), {"1.01"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { cosine_to_hamming(64, std::nan("")); }), {"nan"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { cosine_to_hamming(0, 1); }), {"bits is 0"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { hamming_to_cosine(64, 65); }), {"65", "64"}));
}

TEST(SignalToNoise, MatchesThePublishedFractionsAndRadii) {
  EXPECT_NEAR(signal_to_noise_space_fraction(60000, std::pow(2.0, 64)), 7.673020240510549e-09, 1e-22);
  EXPECT_NEAR(signal_to_noise_space_fraction(100, 1e6), 0.0017099759466766974, 1e-16);
  EXPECT_EQ(hamming_radius_for_signal_to_noise(64, 60000, std::pow(2.0, 64)), 10);
  EXPECT_EQ(hamming_radius_for_signal_to_noise(64, 1024, std::pow(2.0, 64)), 11);
  EXPECT_EQ(hamming_radius_for_signal_to_noise(1000, 1024, 1e6), 450);
  EXPECT_EQ(hamming_radius_for_signal_to_noise(1000, 10000, 1e6), 447);
  EXPECT_EQ(hamming_radius_for_signal_to_noise(1000, 100, 1e6), 454);
  EXPECT_TRUE(contains_all(usage_error_of([] { signal_to_noise_space_fraction(0, 1e6); }),
                           {"patterns is 0", "1000000"}));
}

} // namespace
} // namespace mneme::theory
