// SPDX-License-Identifier: MIT

#include "mneme/theory/circle_intersection.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include <boost/multiprecision/cpp_int.hpp>
#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "mneme/theory/log_count.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

using Integer = boost::multiprecision::cpp_int;

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

/// C(items, k) for k = 0 .. items, by ratios of consecutive coefficients.
std::vector<Integer> binomial_row(int64_t items) {
  std::vector<Integer> row = {1};
  for (int64_t k = 0; k < items; ++k) {
    row.push_back(row.back() * (items - k) / (k + 1));
  }
  return row;
}

/// Reference: the definition. Of an address, a of the bits on which both centres agree and c of the others
/// agree with the first centre; its distance is then n - a - c from the first centre and n - a - (v - c) from
/// the second.
Integer count_by_definition(int64_t bits, int64_t radius, int64_t distance) {
  const std::vector<Integer> shared = binomial_row(bits - distance);
  const std::vector<Integer> other = binomial_row(distance);
  std::vector<Integer> up_to = {0}; // up_to[k] = sum of other[0 .. k-1]
  for (const Integer& term : other) {
    up_to.push_back(up_to.back() + term);
  }
  Integer count = 0;
  for (int64_t a = 0; a <= bits - distance; ++a) {
    const int64_t first = std::max<int64_t>(0, bits - radius - a);
    const int64_t last = std::min(distance, distance - (bits - radius - a));
    if (first <= last) {
      count += shared[static_cast<size_t>(a)] *
               (up_to[static_cast<size_t>(last) + 1] - up_to[static_cast<size_t>(first)]);
    }
  }
  return count;
}

void expect_log_of_exact_count(double log, const std::string& count) {
  if (count == "0") {
    EXPECT_EQ(log, kMinusInfinity);
    return;
  }
  const double exact = parse_log_count(count);
  EXPECT_NEAR(log, exact, 1e-12 * std::abs(exact));
  EXPECT_NEAR(std::expm1(log - exact), 0, 1e-10) << "relative error of the count itself";
}

TEST(CircleIntersection, EqualsEnumerationOfAllAddresses) {
  constexpr int kBits = 8;
  for (int radius = 0; radius <= kBits; ++radius) {
    for (int distance = 0; distance <= kBits; ++distance) {
      const unsigned other = (1U << distance) - 1;
      int count = 0;
      for (unsigned address = 0; address < 1U << kBits; ++address) {
        count += std::popcount(address) <= radius && std::popcount(address ^ other) <= radius;
      }
      EXPECT_EQ(circle_intersection_count(kBits, radius, distance), std::to_string(count));
    }
  }
}

TEST(CircleIntersection, EqualsTheDefinitionForAllRadiiAndDistances) {
  for (const int64_t bits : {1, 2, 3, 16, 33, 64}) {
    for (int64_t radius = 0; radius <= bits; ++radius) {
      const std::vector<double> logs = log_circle_intersections(bits, radius);
      ASSERT_EQ(logs.size(), static_cast<size_t>(bits) + 1);
      for (int64_t distance = 0; distance <= bits; ++distance) {
        SCOPED_TRACE(testing::Message() << bits << " bits, radius " << radius << ", distance " << distance);
        const std::string count = circle_intersection_count(bits, radius, distance);
        EXPECT_TRUE(Integer(count) == count_by_definition(bits, radius, distance)) << count;
        expect_log_of_exact_count(logs[static_cast<size_t>(distance)], count);
      }
    }
  }
}

TEST(CircleIntersection, CountsSeveralDistancesInAnyOrder) {
  for (const int64_t radius : {0, 11, 32, 40, 64}) {
    const std::vector<int64_t> distances = {64, 0, 3, 3, 22, 23, 1, 63};
    const std::vector<std::string> counts = circle_intersection_counts(64, radius, distances);
    ASSERT_EQ(counts.size(), distances.size());
    for (size_t i = 0; i < distances.size(); ++i) {
      EXPECT_TRUE(Integer(counts[i]) == count_by_definition(64, radius, distances[i])) << radius;
    }
  }
  EXPECT_TRUE(circle_intersection_counts(64, 11, {}).empty());
}

TEST(CircleIntersection, EqualsTheDefinitionAt1000Bits) {
  for (const int64_t radius : {1, 100, 451, 500}) {
    for (const int64_t distance : {0, 1, 2, 99, 200, 500, 899, 1000}) {
      EXPECT_TRUE(Integer(circle_intersection_count(1000, radius, distance)) ==
                  count_by_definition(1000, radius, distance))
          << radius << " " << distance;
    }
  }
}

TEST(CircleIntersection, LogsHaveTwelveDigitsUpToTheEndOfTheSupport) {
  for (const int64_t radius : {0, 1, 2, 30, 384, 451, 480, 499, 500, 501, 750, 999, 1000}) {
    const std::vector<double> logs = log_circle_intersections(1000, radius);
    std::vector<int64_t> distances = {0, 1, 2, 3, 10, 100, 500, 901, 999, 1000};
    for (int64_t distance = std::max<int64_t>(0, 2 * radius - 5);
         distance <= std::min<int64_t>(1000, 2 * radius + 2); ++distance) {
      distances.push_back(distance);
    }
    for (const int64_t distance : distances) {
      SCOPED_TRACE(testing::Message() << "radius " << radius << ", distance " << distance);
      expect_log_of_exact_count(logs[static_cast<size_t>(distance)],
                                circle_intersection_count(1000, radius, distance));
    }
  }
}

TEST(CircleIntersection, LogsHaveTwelveDigitsAt10000Bits) {
  for (const int64_t radius : {3, 4700, 5001}) {
    const std::vector<double> logs = log_circle_intersections(10000, radius);
    for (const int64_t distance : {int64_t{0}, int64_t{1}, std::min<int64_t>(2 * radius, 10000)}) {
      SCOPED_TRACE(testing::Message() << "radius " << radius << ", distance " << distance);
      expect_log_of_exact_count(logs[static_cast<size_t>(distance)],
                                circle_intersection_count(10000, radius, distance));
      EXPECT_EQ(log_circle_intersection(10000, radius, distance), logs[static_cast<size_t>(distance)]);
    }
  }
}

TEST(CircleIntersection, IsAStaircaseThatEndsAtTwiceTheRadius) {
  for (const int64_t bits : {9, 64, 201}) {
    for (const int64_t radius : {bits / 8, bits / 3, bits / 2}) {
      const std::vector<double> logs = log_circle_intersections(bits, radius);
      for (int64_t distance = 1; distance <= bits; ++distance) {
        const double here = logs[static_cast<size_t>(distance)],
                     before = logs[static_cast<size_t>(distance) - 1];
        if (distance % 2 == 0) {
          EXPECT_EQ(here, before);
        } else {
          EXPECT_TRUE(here < before || before == kMinusInfinity);
        }
        EXPECT_EQ(here == kMinusInfinity, distance > 2 * radius);
      }
    }
  }
}

TEST(CircleIntersection, OfTheEntireSpaceIsTheEntireSpace) {
  EXPECT_EQ(circle_intersection_count(64, 64, 17), "18446744073709551616");
  EXPECT_NEAR(log_circle_intersection(2000, 2000, 77), 2000 * std::numbers::ln2, 1e-9);
}

// Table of Kanerva's book as recomputed by Bricken & Pehlevan, for n = 1000, 10^6 hard locations, d = 451.
TEST(CircleIntersection, MatchesThePublishedNumbersOfHardLocations) {
  const std::vector<std::pair<int64_t, double>> published = {
      {0, 1071.850049},  {1, 958.436527},   {10, 795.873633}, {50, 476.873676}, {100, 285.830559},
      {150, 173.627261}, {200, 103.460716}, {300, 32.323798}, {400, 7.597126},  {500, 1.101265}};
  for (const auto& [distance, expected] : published) {
    const double log =
        log_circle_intersection(1000, 451, distance) + std::log(1e6) - 1000 * std::numbers::ln2;
    EXPECT_NEAR(std::exp(log), expected, 1e-6);
  }
}

TEST(CircleIntersection, ReportsInvalidArguments) {
  EXPECT_TRUE(contains_all(usage_error_of([] { circle_intersection_count(64, 65, 0); }), {"65", "64"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { log_circle_intersections(64, -1); }), {"-1", "64"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { log_circle_intersection(64, 5, 66); }), {"66", "64"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { circle_intersection_count(64, 5, -2); }), {"-2", "64"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { circle_intersection_count(200'000, 5, 1); }), {"200000", "100000"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { log_circle_intersections(0, 0); }), {"bits is 0"}));
}

} // namespace
} // namespace mneme::theory
