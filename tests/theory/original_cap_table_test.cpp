// SPDX-License-Identifier: MIT

#include "mneme/theory/original_cap_table.h"

#include <cmath>
#include <limits>
#include <numbers>

#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "mneme/theory/cap_intersection.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

TEST(OriginalCapTable, ContainsLogCapIntersectionsAtEquidistantCosines) {
  const OriginalCapTable table(64, 11, std::log(1e6), 201);
  ASSERT_EQ(table.log_expected().size(), 201U);
  EXPECT_EQ(table.log_expected()[0], -1e30);
  EXPECT_NEAR(table.log_expected()[150],
              log_cap_intersection(64, 11, 0.5) + std::log(1e6) + 2 - std::numbers::ln2, 1e-10);
  EXPECT_NEAR(table.log_expected()[200],
              log_cap_intersection(64, 11, 1 - 1e-15) + std::log(1e6) + 2 - std::numbers::ln2, 1e-10);
}

TEST(OriginalCapTable, UsesThePublishedIndexRule) {
  const OriginalCapTable table(64, 11, 0.0);
  EXPECT_EQ(table.index(-1), -1);
  EXPECT_EQ(table.index(-0.99995), 0);
  EXPECT_EQ(table.index(0), 4999);
  EXPECT_EQ(table.index(0.9999), 9998);
  EXPECT_EQ(table.index(1), 9999);
  EXPECT_EQ(table.index(1 + 1e-5), 9999);
  EXPECT_EQ(table.log_expected_at(-1), table.log_expected().back())
      << "index -1 wraps around to the last entry";
  EXPECT_EQ(table.log_expected_at(0.5), table.log_expected()[7499]);
}

TEST(OriginalCapTable, ContainsAreasWithoutANumberOfHardLocations) {
  const OriginalCapTable absent(3, 1, std::nullopt, 11), one(3, 1, 0.0, 11);
  EXPECT_NEAR(absent.log_expected()[8] - one.log_expected()[8],
              std::log(4 * std::numbers::pi) + 40 * std::numbers::ln10, 1e-12);
}

TEST(OriginalCapTable, OmitsWideCapsThatMeetOnTheOppositeSide) {
  const OriginalCapTable table(16, 10, 0.0, 11);
  EXPECT_EQ(table.log_expected()[0], -1e30); // v = pi, 2t > pi
  EXPECT_GT(table.log_expected()[10], -1e30);
}

TEST(OriginalCapTable, ReportsInvalidArguments) {
  EXPECT_TRUE(contains_all(usage_error_of([] { OriginalCapTable(64, 65, 0.0); }), {"65", "64"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { OriginalCapTable(64, 5, 0.0, 1); }), {"resolution is 1"}));
  EXPECT_TRUE(contains_all(
      usage_error_of([] { OriginalCapTable(64, 5, std::numeric_limits<double>::infinity()); }), {"inf"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { OriginalCapTable(64, 5, 0.0).index(2); }), {"cosine is 2"}));
}

} // namespace
} // namespace mneme::theory
