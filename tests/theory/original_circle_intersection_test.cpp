// SPDX-License-Identifier: MIT

#include "mneme/theory/original_circle_intersection.h"

#include <cmath>

#include <gtest/gtest.h>

#include "mneme/theory/circle_intersection.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

TEST(OriginalCircleIntersection, LuneFormLosesDigitsByCancellation) {
  const double exact = std::exp(log_circle_intersection(1000, 384, 766));
  EXPECT_NEAR(original_interpretable_intersection(1000, 384, 766, 1000 * std::log(2.0)) / exact, 1, 1e-10);
  const double lune = original_lune_intersection(1000, 384, 766, {});
  EXPECT_GT(std::abs(lune / exact - 1), 0.99) << "all digits are lost";
  EXPECT_LT(lune, 1e-12 * original_lune_intersection(1000, 384, 0, {}));
  EXPECT_NEAR(original_lune_intersection(1000, 384, 10, {}) /
                  std::exp(log_circle_intersection(1000, 384, 10)),
              1, 1e-11);
}

TEST(OriginalCircleIntersection, FormsDifferWithoutHardLocations) {
  EXPECT_NEAR(original_lune_intersection(64, 11, 2, {}), 311949983890, 1e-2);
  EXPECT_NEAR(original_interpretable_intersection(64, 11, 2, {}), 1.691084251201784e-08, 1e-20);
  const double log_million = std::log(1e6);
  EXPECT_NEAR(original_lune_intersection(64, 11, 2, log_million), 0.01691084251201783, 1e-14);
  EXPECT_NEAR(original_interpretable_intersection(64, 11, 2, log_million), 0.01691084251201783, 1e-14);
}

TEST(OriginalCircleIntersection, IsLimitedByTheRangeOfDoubles) {
  EXPECT_GT(original_lune_intersection(1023, 500, 10, {}), 0);
  EXPECT_TRUE(
      contains_all(usage_error_of([] { original_lune_intersection(1024, 5, 1, {}); }), {"1024", "1023"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { original_interpretable_intersection(64, 65, 1, {}); }), {"65", "64"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { original_lune_intersection(64, 5, 1, std::nan("")); }), {"nan"}));
}

} // namespace
} // namespace mneme::theory
