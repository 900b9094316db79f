// SPDX-License-Identifier: MIT

#include "mneme/data/threshold.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "data/testing.h"
#include "mneme/core/random.h"

namespace mneme::data {
namespace {

RealPatterns row(const std::vector<double>& numbers) {
  return {1, static_cast<int64_t>(numbers.size()), numbers};
}

/// The variance between the two classes at a threshold, from its definition.
double variance_between(const std::vector<double>& numbers, double threshold) {
  double low = 0, high = 0, sum_low = 0, sum_high = 0;
  for (const double x : numbers) {
    (x > threshold ? high : low) += 1;
    (x > threshold ? sum_high : sum_low) += x;
  }
  return low == 0 || high == 0 ? 0 : low * high * std::pow(sum_low / low - sum_high / high, 2);
}

TEST(OtsuThreshold, IsTheMidpointBetweenTwoGroups) {
  EXPECT_EQ(otsu_threshold(row({1, 2, 1, 9, 10, 10})), 5.5);
  EXPECT_EQ(otsu_threshold(row({-1, 1, 1, -1, 1})), 0);
  EXPECT_EQ(otsu_threshold(row({0, 255})), 127.5);
}

TEST(OtsuThreshold, MaximisesTheVarianceBetweenClasses) {
  Random random(5);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<double> numbers(40);
    for (double& x : numbers) {
      x = std::round(10 * random.normal()) + (random.uniform() < 0.3 ? 25 : 0);
    }
    const double best = variance_between(numbers, otsu_threshold(row(numbers)));
    for (const double x : numbers) {
      EXPECT_GE(best, variance_between(numbers, x) * (1 - 1e-12));
    }
  }
}

TEST(OtsuThreshold, SupportsVerySmallAndVeryLargeNumbers) {
  constexpr double kMax = std::numeric_limits<double>::max();
  EXPECT_EQ(otsu_threshold(row({-kMax, kMax, kMax})), 0);
  EXPECT_EQ(otsu_threshold(row({3, 3, 3})), 3);
  EXPECT_EQ(otsu_threshold(row({4e-320, 0})), 2e-320);
}

TEST(OtsuThreshold, RejectsEmptyInputAndNumbersThatAreNotFinite) {
  expect_error<UsageError>([] { otsu_threshold(RealPatterns()); }, {"no numbers"});
  expect_error<UsageError>([] { otsu_threshold(row({1, std::nan("")})); }, {"number 1", "nan"});
}

TEST(ChooseThreshold, KeepsTheDefaultIfPatternsStayDistinct) {
  const PatternSet images{.patterns = {2, 4, {0.1, 0.9, 0.2, 0.8, 0.9, 0.1, 0.2, 0.8}},
                          .height = 2,
                          .width = 2,
                          .channels = 1,
                          .threshold = 0.5};
  EXPECT_EQ(choose_threshold(images).threshold, 0.5);
  EXPECT_EQ(choose_threshold(images).origin, "half of white");
  const PatternSet signs{.patterns = {2, 2, {-3, 10, 4, -1}}};
  EXPECT_EQ(choose_threshold(signs).threshold, 0);
  EXPECT_EQ(choose_threshold(signs).origin, "the sign of the numbers");
}

TEST(ChooseThreshold, UsesOtsuIfPatternsWouldCoincide) {
  const PatternSet positive{.patterns = {2, 4, {0.1, 0.9, 0.2, 0.8, 0.9, 0.1, 0.2, 0.8}}}; // all ones above 0
  const ThresholdChoice choice = choose_threshold(positive);
  EXPECT_EQ(choice.threshold, 0.5);
  EXPECT_EQ(choice.origin, "Otsu's threshold of these numbers");
}

TEST(ChooseThreshold, UsesOtsuIfNoNumberIsNegative) {
  const PatternSet counts{.patterns = {2, 4, {0, 9, 1, 8, 9, 0, 2, 8}}}; // also distinct at threshold 0
  EXPECT_EQ(choose_threshold(counts).threshold, 5);
}

TEST(ChooseThreshold, ExplainsAThresholdOf0OfNumbersThatAreNotNegative) {
  // One large number: at Otsu's threshold, the last two patterns are equal.
  const PatternSet rectified{.patterns = {3, 4, {0, 90, 1, 8, 2, 0, 0, 8, 2, 0, 3, 0}}};
  const ThresholdChoice choice = choose_threshold(rectified);
  EXPECT_EQ(choice.threshold, 0);
  EXPECT_EQ(choice.origin, "the lowest numbers, as fewer patterns are distinct at Otsu's threshold 49");
}

TEST(ChooseThreshold, UsesOtsuIfFewNumbersAreOnOneSide) {
  RealPatterns numbers(4, 100);
  for (int64_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < 100; ++j) {
      numbers[i][j] = j % 4 == static_cast<size_t>(i) ? 5.0 : 1.0;
    }
  }
  numbers[0][0] = 0; // one of 400: patterns are distinct at threshold 0 only by chance
  numbers[1][1] = 0;
  EXPECT_EQ(choose_threshold({.patterns = numbers}).threshold, 3);
}

TEST(ChooseThreshold, KeepsTheDefaultIfOtsuIsNoBetter) {
  const PatternSet same{.patterns = {3, 2, {1, 0, 1, 0, 1, 0}}, .threshold = 0.5};
  EXPECT_EQ(choose_threshold(same).threshold, 0.5);
}

TEST(ChooseThreshold, KeepsTheDefaultIfAllNumbersAreEqual) {
  const PatternSet ones{.patterns = row({1, 1, 1}), .threshold = 0.5, .source = "ones.npy"};
  EXPECT_EQ(choose_threshold(ones).threshold, 0.5);
  EXPECT_EQ(choose_threshold(ones).origin, "halfway between 0 and 1");
  EXPECT_EQ(choose_threshold(ones, 0.5).threshold, 0.5);
  EXPECT_EQ(choose_threshold(ones, 0).threshold, 0);
  expect_error<UsageError>([&] { choose_threshold(ones, 1); }, {"every bit would be 0", "1 to 1"});
  expect_error<UsageError>([&] { choose_threshold(ones, -1); }, {"every bit would be 1"});
  const PatternSet zeros{.patterns = row({0, 0}), .threshold = 0.5, .source = "zeros.npy"};
  EXPECT_EQ(choose_threshold(zeros).threshold, 0.5);
  EXPECT_EQ(choose_threshold(zeros, 0.5).threshold, 0.5);
  const PatternSet fives{.patterns = row({5, 5})};
  EXPECT_EQ(choose_threshold(fives).threshold, 0);
  EXPECT_EQ(choose_threshold(fives, 7).threshold, 7);
  EXPECT_EQ(choose_threshold(fives, 3).threshold, 3);
}

TEST(ChooseThreshold, RefusesAGivenThresholdWithoutAnEffect) {
  const PatternSet bytes{.patterns = {1, 3, {0.2, 0.4, 1}}, .file_scale = 255, .source = "bytes.npy"};
  EXPECT_EQ(choose_threshold(bytes, 127.5).threshold, 0.5);
  EXPECT_EQ(choose_threshold(bytes, 127.5).origin, "from --threshold");
  expect_error<UsageError>([&] { choose_threshold(bytes, 255); },
                           {"--threshold 255", "every bit would be 0", "bytes.npy", "51 to 255"});
  expect_error<UsageError>([&] { choose_threshold(bytes, 50); }, {"every bit would be 1"});
}

} // namespace
} // namespace mneme::data
