// SPDX-License-Identifier: MIT

#include "mneme/data/random_patterns.h"

#include <bit>
#include <cmath>
#include <limits>

#include "data/testing.h"
#include "mneme/core/parallel.h"

namespace mneme::data {
namespace {

TEST(RandomPatterns, DoNotDependOnTheirNumber) {
  const Random random(3);
  EXPECT_EQ(slice(random_bits(200, 100, random), 0, 7), random_bits(7, 100, random));
  EXPECT_EQ(slice(random_sphere(200, 10, random), 0, 7), random_sphere(7, 10, random));
}

TEST(RandomPatterns, DoNotDependOnTheNumberOfThreads) {
  const int before = threads();
  set_threads(1);
  const BitPatterns bits = random_bits(500, 70, Random(4));
  const RealPatterns points = random_sphere(500, 7, Random(4));
  set_threads(4);
  EXPECT_EQ(random_bits(500, 70, Random(4)), bits);
  EXPECT_EQ(random_sphere(500, 7, Random(4)), points);
  set_threads(before);
}

TEST(RandomPatterns, BitsAreFair) {
  const BitPatterns bits = random_bits(100, 1000, Random(1));
  int64_t ones = 0;
  for (int64_t i = 0; i < bits.count(); ++i) {
    EXPECT_EQ(bits[i].back() & ~bits.last_word_mask(), 0U);
    for (const uint64_t word : bits[i]) {
      ones += std::popcount(word);
    }
  }
  EXPECT_NEAR(static_cast<double>(ones), 50000, 5 * std::sqrt(100000) / 2);
  EXPECT_NEAR(static_cast<double>(hamming_distance(bits, 0, bits, 1)), 500, 5 * std::sqrt(1000) / 2);
}

TEST(RandomPatterns, PointsAreOnTheUnitSphereInAllDirections) {
  const RealPatterns points = random_sphere(2000, 5, Random(2));
  double sum = 0;
  for (int64_t i = 0; i < points.count(); ++i) {
    double squares = 0;
    for (const double x : points[i]) {
      squares += x * x;
    }
    EXPECT_NEAR(squares, 1, 1e-14);
    sum += points[i][2];
  }
  EXPECT_NEAR(sum / 2000, 0, 5 / std::sqrt(5.0 * 2000)); // a coordinate has variance 1/5
}

TEST(RandomPatterns, UniformNumbersFillTheirRange) {
  const RealPatterns numbers = random_uniform(1000, 3, -1, 2, Random(3));
  double sum = 0;
  for (int64_t i = 0; i < numbers.count(); ++i) {
    for (const double x : numbers[i]) {
      EXPECT_GE(x, -1);
      EXPECT_LT(x, 2);
      sum += x;
    }
  }
  EXPECT_NEAR(sum / 3000, 0.5, 5 * std::sqrt(0.75 / 3000)); // variance 3^2 / 12
  EXPECT_EQ(slice(numbers, 0, 10), random_uniform(10, 3, -1, 2, Random(3)));
}

TEST(RandomPatterns, SizesMayBeZero) {
  EXPECT_EQ(random_bits(0, 10, Random(1)).count(), 0);
  EXPECT_EQ(random_bits(3, 0, Random(1)).bits(), 0);
  EXPECT_EQ(random_sphere(0, 3, Random(1)).count(), 0);
  EXPECT_EQ(std::abs(random_sphere(1, 1, Random(1))[0][0]), 1);
}

TEST(RandomPatterns, RejectInvalidSizes) {
  expect_error<UsageError>([] { random_sphere(3, 0, Random(1)); }, {"size is 0", "at least 1"});
  EXPECT_THROW(random_bits(-1, 10, Random(1)), UsageError);
  EXPECT_THROW(random_sphere(-1, 10, Random(1)), UsageError);
  expect_error<UsageError>([] { random_uniform(3, 3, 2, 2, Random(1)); }, {"[2, 2)", "empty"});
}

TEST(RandomPatterns, RejectARangeWhoseWidthOverflows) {
  const double infinity = std::numeric_limits<double>::infinity();
  expect_error<UsageError>([] { random_uniform(1, 4, -1.7e308, 1.7e308, Random(1)); },
                           {"[-1.7e+308, 1.7e+308)", "not a finite double"});
  EXPECT_THROW(random_uniform(1, 4, 0, infinity, Random(1)), UsageError);
  EXPECT_THROW(random_uniform(1, 4, -infinity, 0, Random(1)), UsageError);
}

TEST(RandomPatterns, ThatCannotBeAllocatedAreRejectedWithTheirSize) {
  expect_error<UsageError>([] { random_bits(int64_t{1} << 40, 1 << 20, Random(1)); },
                           {"1099511627776 patterns of 1048576 bits", "1.44e+08 GB"});
  expect_error<UsageError>([] { random_sphere(int64_t{1} << 38, 1 << 10, Random(1)); },
                           {"274877906944 patterns of 1024 numbers", "2.25e+06 GB"});
}

TEST(RandomPatterns, UniformNumbersAreBelowTheUpperLimit) {
  const double high = std::nextafter(1.0, 2.0); // low + (high - low) u rounds to `high` for u > 1/2
  const RealPatterns numbers = random_uniform(1, 100, 1, high, Random(1));
  for (const double x : numbers[0]) {
    EXPECT_EQ(x, 1);
  }
}

} // namespace
} // namespace mneme::data
