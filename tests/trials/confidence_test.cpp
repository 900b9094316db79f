// SPDX-License-Identifier: MIT

#include "mneme/trials/confidence.h"

#include <vector>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::trials {
namespace {

using mneme::testing::contains;

// Quantiles of Student's distribution at 0.975: 12.7062 with 1 degree of freedom, 2.776445 with 4.
TEST(MeanInterval, MatchesHandValues) {
  const MeanInterval two = mean_interval(std::vector{1.0, 3.0}); // s / sqrt(2) = 1
  EXPECT_DOUBLE_EQ(two.mean, 2);
  ASSERT_TRUE(two.half_width);
  EXPECT_NEAR(*two.half_width, 12.7062, 5e-5);

  const MeanInterval five = mean_interval(std::vector{5.0, 1.0, 4.0, 2.0, 3.0}); // s / sqrt(5) = sqrt(1/2)
  EXPECT_DOUBLE_EQ(five.mean, 3);
  ASSERT_TRUE(five.half_width);
  EXPECT_NEAR(*five.half_width, 2.776445 * 0.70710678, 1e-6);
}

TEST(MeanInterval, HasNoWidthForEqualTrialsAndNoneForASingleOne) {
  const MeanInterval equal = mean_interval(std::vector{0.25, 0.25, 0.25});
  EXPECT_EQ(equal.mean, 0.25);
  EXPECT_EQ(equal.half_width, 0.0);
  const MeanInterval single = mean_interval(std::vector{0.7});
  EXPECT_EQ(single.mean, 0.7);
  EXPECT_FALSE(single.half_width);
}

TEST(MeanInterval, RefusesNoSamples) {
  try {
    mean_interval({});
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_TRUE(contains(error.what(), "no samples"));
  }
}

} // namespace
} // namespace mneme::trials
