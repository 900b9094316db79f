// SPDX-License-Identifier: MIT

#include "mneme/trials/confidence.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"
#include "mneme/core/random.h"

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

TEST(MeanInterval, HasZeroWidthForEqualTrialsAndNoWidthForASingleOne) {
  const MeanInterval equal = mean_interval(std::vector{0.25, 0.25, 0.25});
  EXPECT_EQ(equal.mean, 0.25);
  EXPECT_EQ(equal.half_width, 0.0);
  const MeanInterval single = mean_interval(std::vector{0.7});
  EXPECT_EQ(single.mean, 0.7);
  EXPECT_FALSE(single.half_width);
}

TEST(MeanInterval, OfProportionsHasAtLeastTheBinomialVariance) {
  const std::vector<double> perfect(5, 1.0);
  const MeanInterval of_eight = mean_interval(perfect, 8); // p = 41 / 42
  EXPECT_EQ(of_eight.mean, 1);
  EXPECT_NEAR(*of_eight.half_width, 2.776445 * std::sqrt(41.0 / 42 / 42 / 8 / 5), 1e-6);
  const std::vector samples = {0.0, 1.0, 0.0, 1.0};
  EXPECT_EQ(*mean_interval(samples, 100).half_width, *mean_interval(samples).half_width);
}

/// Five trials of 8 cues, of which 99.5 % are recalled: most trials are perfect.
TEST(MeanInterval, OfProportionsContainsTheirExpectation) {
  constexpr double kExpected = 0.995;
  constexpr int kRuns = 2000;
  Random random(7);
  int contained = 0;
  for (int run = 0; run < kRuns; ++run) {
    std::vector<double> samples(5);
    for (double& sample : samples) {
      for (int cue = 0; cue < 8; ++cue) {
        sample += random.uniform() < kExpected ? 1.0 / 8 : 0;
      }
    }
    const MeanInterval interval = mean_interval(samples, 8);
    contained += std::abs(interval.mean - kExpected) <= *interval.half_width ? 1 : 0;
  }
  EXPECT_GT(contained, kRuns * 0.94);
}

TEST(MeanInterval, RejectsEmptySamples) {
  try {
    mean_interval({});
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_TRUE(contains(error.what(), "no samples"));
  }
}

// t = 2.776445 with 4 degrees of freedom; s = sqrt(2.5), and sqrt(1 + 1/5) for one more draw.
TEST(PredictionInterval, MatchesHandValues) {
  const Interval five = prediction_interval(std::vector{5.0, 1.0, 4.0, 2.0, 3.0});
  EXPECT_NEAR(five.high, 3 + 2.776445 * std::sqrt(2.5 * 1.2), 1e-5);
  EXPECT_NEAR(five.low, 3 - 2.776445 * std::sqrt(2.5 * 1.2), 1e-5);
  const Interval rounded = prediction_interval(std::vector{5.0, 1.0, 4.0, 2.0, 3.0}, {.resolution = 0.25});
  EXPECT_DOUBLE_EQ(rounded.high, five.high + 0.25);
  EXPECT_DOUBLE_EQ(rounded.low, five.low - 0.25);
}

/// Number of prediction intervals, out of many, that contain one more draw.
template <class Draw>
double coverage(int64_t samples, const PredictionOptions& options, const Draw& draw,
                int64_t intervals = 20'000) {
  Random random(11);
  int64_t contained = 0;
  for (int64_t i = 0; i < intervals; ++i) {
    std::vector<double> numbers(static_cast<size_t>(samples));
    std::ranges::generate(numbers, [&] { return draw(random); });
    contained += prediction_interval(numbers, options).contains(draw(random)) ? 1 : 0;
  }
  return static_cast<double>(contained) / static_cast<double>(intervals);
}

double normal(Random& random) {
  return 7 + 3 * random.normal();
}

// 4 standard errors of the number of intervals, out of 20 000, that contain the draw.
double allowed(double confidence) {
  return 4 * std::sqrt(confidence * (1 - confidence) / 20'000);
}

TEST(PredictionInterval, ContainsOneMoreNormalDrawWithTheGivenConfidence) {
  for (const int64_t samples : {2, 3, 5, 8}) {
    for (const double confidence : {0.9, 0.95, 0.998}) {
      EXPECT_NEAR(coverage(samples, {.confidence = confidence}, normal), confidence, allowed(confidence))
          << samples << " samples";
    }
  }
  // Among many samples the minimum and maximum may be outside +- t s, but they are always included.
  const double of_many = coverage(50, {}, normal);
  EXPECT_GE(of_many, 0.95 - allowed(0.95));
  EXPECT_LE(of_many, 0.98);
}

TEST(PredictionInterval, IsExactForLogNormalSamplesOnTheLogarithmicScaleOnly) {
  const auto loss = [](Random& random) { return std::exp(2 * random.normal()); };
  EXPECT_NEAR(coverage(8, {.logarithmic = true}, loss), 0.95, allowed(0.95));
  EXPECT_LT(coverage(8, {}, loss), 0.95 - 2 * allowed(0.95));
  const Interval zeros =
      prediction_interval(std::vector{0.0, 1e-9, 0.0}, {.resolution = 5e-4, .logarithmic = true});
  EXPECT_NEAR(zeros.high, 5e-4, 1e-6);
}

TEST(PredictionInterval, UsesAtLeastTheBinomialVarianceForProportions) {
  for (const double mistakes : {0.0005, 0.002, 0.02, 0.3}) {
    const auto accuracy = [&](Random& random) {
      int64_t right = 0;
      for (int64_t i = 0; i < 200; ++i) {
        right += random.uniform() < mistakes ? 0 : 1;
      }
      return static_cast<double>(right) / 200;
    };
    EXPECT_GE(coverage(5, {.cases = 200}, accuracy, 5000), 0.95 - 2 * allowed(0.95)) << mistakes;
  }
  // All five runs have no errors: one more error is within the interval, seven are not.
  const std::vector<double> perfect(5, 1.0);
  EXPECT_TRUE(prediction_interval(perfect, {.cases = 200}).contains(199.0 / 200));
  EXPECT_FALSE(prediction_interval(perfect, {.cases = 200}).contains(193.0 / 200));
  EXPECT_FALSE(prediction_interval(perfect).contains(199.0 / 200));
}

TEST(PredictionInterval, ExcludesDistantValues) {
  const std::vector<double> losses{0.013, 0.015, 0.014, 0.019, 0.012, 0.022, 0.016, 0.013};
  const PredictionOptions options{.resolution = 5e-4, .logarithmic = true};
  EXPECT_TRUE(prediction_interval(losses, options).contains(0.023));
  EXPECT_FALSE(prediction_interval(losses, options).contains(0.035));
  EXPECT_FALSE(prediction_interval(losses, options).contains(0.005));
  const std::vector<double> accuracies{0.98, 0.99, 0.97, 1.0, 0.985, 0.975, 0.99, 0.98};
  EXPECT_FALSE(prediction_interval(accuracies, {.confidence = 0.997, .cases = 500}).contains(0.9));
}

TEST(PredictionInterval, IncludesTheSamplesOfAnyDistribution) {
  std::vector<double> seeds(40, 1.0); // all succeed but one
  seeds[7] = 0.2;
  EXPECT_TRUE(prediction_interval(seeds).contains(0.2));
  EXPECT_FALSE(prediction_interval(seeds).contains(0.1));
}

TEST(PredictionInterval, RejectsSingleSamplesAndValuesOutOfRange) {
  const auto message = [](const std::vector<double>& samples,
                          const PredictionOptions& options) -> std::string {
    try {
      prediction_interval(samples, options);
      return "no error";
    } catch (const UsageError& error) {
      return error.what();
    }
  };
  EXPECT_TRUE(contains(message({1}, {}), "1 samples given, at least 2"));
  EXPECT_TRUE(contains(message({1, 2}, {.confidence = 1}), "confidence is 1"));
  EXPECT_TRUE(contains(message({1, 2}, {.resolution = -1}), "resolution is -1"));
  EXPECT_TRUE(
      contains(message({1, 1}, {.logarithmic = true, .cases = 5}), "cases is 5 on a logarithmic scale"));
  EXPECT_TRUE(contains(message({0, 1}, {.logarithmic = true}), "a sample is 0, but a positive number"));
  EXPECT_TRUE(contains(message({0, 1.5}, {.cases = 5}), "a sample is 1.5, but a proportion"));
  EXPECT_TRUE(contains(message({0, std::nan("")}, {}), "a sample is nan"));
}

} // namespace
} // namespace mneme::trials
