// SPDX-License-Identifier: MIT

#include "mneme/theory/position_gaussian.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "mneme/core/error.h"

namespace mneme::theory {
namespace {

/// Moments of the weights of the queries 0 .. count - 1.
template <class Weights> std::vector<DistanceMoments> moments_of(int64_t count, Weights weights_of) {
  std::vector<DistanceMoments> moments;
  for (int64_t t = 0; t < count; ++t) {
    const std::vector<double> weights = weights_of(t);
    DistanceMoments& moment = moments.emplace_back();
    for (int64_t j = 0; j <= t; ++j) {
      const auto distance = static_cast<double>(t - j);
      moment.mean += weights[static_cast<size_t>(j)] * distance;
      moment.square += weights[static_cast<size_t>(j)] * distance * distance;
    }
  }
  return moments;
}

std::vector<double> uniform(int64_t t) {
  return std::vector<double>(static_cast<size_t>(t) + 1, 1 / static_cast<double>(t + 1));
}

TEST(PositionGaussian, WeightsAreThoseOfTheDensity) {
  const std::vector<double> weights = position_weights({.mean = 1, .deviation = 2}, 3);
  ASSERT_EQ(weights.size(), 4U);
  EXPECT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.0), 1, 1e-14);
  EXPECT_NEAR(weights[0] / weights[2], std::exp(-4.0 / 8), 1e-14); // distances 3 and 1
  EXPECT_NEAR(weights[3], weights[1], 1e-14);                      // distances 0 and 2
  EXPECT_EQ(position_weights({.mean = 1e6, .deviation = 0.1}, 2), (std::vector<double>{1, 0, 0}));
}

TEST(PositionGaussian, FitRecoversAGaussian) {
  for (const PositionGaussian& expected :
       {PositionGaussian{3, 2}, {0, 10}, {-20, 15}, {70, 30}, {1, 0.4}, {40, 1.5}}) {
    const PositionGaussian found =
        fit_position_gaussian(moments_of(100, [&](int64_t t) { return position_weights(expected, t); }));
    EXPECT_NEAR(found.mean, expected.mean, 1e-4 * std::abs(expected.mean) + 1e-4);
    EXPECT_NEAR(found.deviation, expected.deviation, 1e-4 * expected.deviation);
  }
}

TEST(PositionGaussian, FitOfAnAverageIsPracticallyUniform) {
  const PositionGaussian found = fit_position_gaussian(moments_of(64, uniform));
  EXPECT_NEAR(found.deviation, 640, 1e-9); // the largest
  const std::vector<double> weights = position_weights(found, 63);
  for (const double weight : weights) {
    EXPECT_NEAR(weight, 1.0 / 64, 1e-4);
  }
}

TEST(PositionGaussian, FitOfASingleDistanceIsTheNarrowest) {
  const std::vector<DistanceMoments> previous = moments_of(50, [](int64_t t) {
    std::vector<double> weights(static_cast<size_t>(t) + 1, 0.0);
    weights[static_cast<size_t>(t > 0 ? t - 1 : 0)] = 1;
    return weights;
  });
  const PositionGaussian found = fit_position_gaussian(previous);
  EXPECT_GT(position_weights(found, 49)[48], 0.999);
}

TEST(PositionGaussian, NoOtherGaussianIsNearer) {
  // Half of the weight on the query itself, half on the first token: no Gaussian.
  const std::vector<DistanceMoments> ends = moments_of(40, [](int64_t t) {
    std::vector<double> weights(static_cast<size_t>(t) + 1, 0.0);
    weights.front() += 0.5;
    weights.back() += 0.5;
    return weights;
  });
  const PositionGaussian found = fit_position_gaussian(ends);
  const double least = cross_entropy(ends, found);
  for (const double mean : {-2.0, -0.5, 0.5, 2.0}) {
    for (const double factor : {0.5, 0.9}) {
      EXPECT_GE(cross_entropy(ends, {found.mean + mean, found.deviation * factor}), least - 1e-12);
    }
    EXPECT_GE(cross_entropy(ends, {found.mean + mean, found.deviation}), least - 1e-12);
  }
}

TEST(PositionGaussian, CrossEntropyOfItsOwnWeightsIsTheirEntropy) {
  const PositionGaussian gaussian{4, 3};
  double entropy = 0;
  const std::vector<DistanceMoments> moments = moments_of(30, [&](int64_t t) {
    const std::vector<double> weights = position_weights(gaussian, t);
    for (const double weight : weights) {
      entropy -= weight > 0 ? weight * std::log(weight) / 30 : 0;
    }
    return weights;
  });
  EXPECT_NEAR(cross_entropy(moments, gaussian), entropy, 1e-12);
}

TEST(PositionGaussian, RejectsWhatCannotBeMoments) {
  const auto error = [](std::vector<DistanceMoments> moments) {
    EXPECT_THROW(fit_position_gaussian(moments), UsageError);
  };
  error({});
  error({{0, 0}, {2, 4}});     // beyond the text
  error({{0, 0}, {0.5, 0.1}}); // less than the square of the mean
  error({{0, 0}, {NAN, 0.5}});
  EXPECT_THROW(position_weights({.mean = 0, .deviation = 0}, 1), UsageError);
  EXPECT_THROW(position_weights({.mean = NAN}, 1), UsageError);
  EXPECT_THROW(position_weights({}, -1), UsageError);
}

} // namespace
} // namespace mneme::theory
