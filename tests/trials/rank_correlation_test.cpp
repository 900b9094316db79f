// SPDX-License-Identifier: MIT

#include "mneme/trials/rank_correlation.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::trials {
namespace {

using Numbers = std::vector<double>;

TEST(RankCorrelation, ComparesOrdersAndNotSizes) {
  EXPECT_DOUBLE_EQ(rank_correlation(Numbers{1, 2, 30}, Numbers{-5, 7, 8}), 1);
  EXPECT_DOUBLE_EQ(rank_correlation(Numbers{1, 2, 30}, Numbers{8, 7, -5}), -1);
  // 1 - 6 sum of squared differences of ranks / (n (n^2 - 1)) = 1 - 6 * 2 / 24
  EXPECT_NEAR(rank_correlation(Numbers{1, 2, 3}, Numbers{2, 1, 3}), 0.5, 1e-15);
}

TEST(RankCorrelation, EqualNumbersHaveTheMeanOfTheirRanks) {
  // Ranks 0, 1.5, 1.5, 3 and 0, 1, 2, 3: 4.5 / sqrt(4.5 * 5)
  EXPECT_NEAR(rank_correlation(Numbers{1, 2, 2, 3}, Numbers{1, 2, 3, 4}), 4.5 / std::sqrt(22.5), 1e-15);
  EXPECT_TRUE(std::isnan(rank_correlation(Numbers{1, 1}, Numbers{1, 2})));
}

TEST(RankCorrelation, RefusesWhatHasNoRanks) {
  EXPECT_THROW(rank_correlation(Numbers{1, 2}, Numbers{1}), UsageError);
  EXPECT_THROW(rank_correlation(Numbers{1}, Numbers{1}), UsageError);
  EXPECT_THROW(rank_correlation(Numbers{1, std::numeric_limits<double>::quiet_NaN()}, Numbers{1, 2}),
               UsageError);
}

} // namespace
} // namespace mneme::trials
