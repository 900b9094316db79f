// SPDX-License-Identifier: MIT

#include "mneme/memory/separation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include "memory/samples.h"
#include "mneme/theory/circle_intersection.h"

namespace mneme {
namespace {

using test::expect_contains;
using test::usage_error;

RealPatterns weights_of(const std::vector<double>& scores, const Separation& separation,
                        ScoreKind kind = ScoreKind::other, int64_t size = 0) {
  return separate({RealPatterns(1, static_cast<int64_t>(scores.size()), scores), kind, size}, separation);
}

double sum_of(const RealPatterns& weights) {
  return std::accumulate(weights[0].begin(), weights[0].end(), 0.0);
}

RC_GTEST_PROP(Separation, WeightsSumToOneAndPreserveTheOrderOfScores, (const std::vector<int>& raw)) {
  RC_PRE(!raw.empty());
  std::vector<double> scores;
  for (const int x : raw) {
    scores.push_back(x / 10.0);
  }
  for (const Separation& choice :
       {Separation(Softmax{0.7}), Separation(Sparsemax{0.7}), Separation(Entmax15{0.7}),
        Separation(BestMatch{}), Separation(Softmax{std::numeric_limits<double>::infinity()})}) {
    const RealPatterns weights = weights_of(scores, choice);
    RC_ASSERT(std::abs(sum_of(weights) - 1) < 1e-12);
    for (size_t i = 0; i < scores.size(); ++i) {
      for (size_t j = 0; j < scores.size(); ++j) {
        const bool in_order = !(scores[i] < scores[j]) || weights[0][i] <= weights[0][j];
        const bool ties_equal = scores[i] != scores[j] || weights[0][i] == weights[0][j];
        RC_ASSERT(in_order && ties_equal);
      }
    }
  }
}

TEST(Separation, SparsemaxIsTheProjectionOntoTheSimplex) {
  // By hand: z = (0.5, 0.2, -1); support of two, tau = (0.7 - 1) / 2 = -0.15.
  const RealPatterns weights = weights_of({0.5, 0.2, -1}, Sparsemax{1});
  EXPECT_DOUBLE_EQ(weights[0][0], 0.65);
  EXPECT_DOUBLE_EQ(weights[0][1], 0.35);
  EXPECT_EQ(weights[0][2], 0);
}

TEST(Separation, EntmaxSatisfiesItsDefinition) {
  const std::vector<double> scores = {1.3, 0.4, 0.9, -2.0, -5.0};
  const RealPatterns weights = weights_of(scores, Entmax15{1});
  const double tau = scores[0] / 2 - std::sqrt(weights[0][0]);
  for (size_t i = 0; i < scores.size(); ++i) {
    EXPECT_NEAR(weights[0][i], std::pow(std::max(scores[i] / 2 - tau, 0.0), 2), 1e-14);
  }
  EXPECT_EQ(weights[0][4], 0);
  EXPECT_GT(weights[0][1], 0);
}

TEST(Separation, SoftmaxDoesNotOverflow) {
  const RealPatterns weights = weights_of({1e8, 1e8 - 1, -1e8}, Softmax{1});
  EXPECT_NEAR(weights[0][0], 1 / (1 + std::exp(-1)), 1e-15);
  EXPECT_EQ(weights[0][2], 0);
}

/// Scores whose differences are far below the spacing of doubles at beta * score, and scores of any magnitude
/// up to the largest double.
TEST(Separation, WeightsSumToOneForScoresOfAnyMagnitude) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  const std::vector<std::vector<double>> rows = {{9007199254740992.0, 9007199254740991.0, 0},
                                                 {0x1p60, 0x1p60, -0x1p60},
                                                 {kLargest, kLargest, -kLargest},
                                                 {-kLargest, -kLargest},
                                                 {kLargest, -kLargest, 0, 1e300},
                                                 {1e300, 1e299}};
  for (const double beta : {0.0, 1.0, 1e10, kLargest}) {
    for (const Separation& choice :
         {Separation(Softmax{beta}), Separation(Sparsemax{beta}), Separation(Entmax15{beta})}) {
      for (const std::vector<double>& scores : rows) {
        const RealPatterns weights = weights_of(scores, choice);
        EXPECT_NEAR(sum_of(weights), 1, 1e-12) << "beta " << beta << ", first score " << scores[0];
        const double row_max = *std::max_element(scores.begin(), scores.end());
        for (size_t i = 0; i < scores.size(); ++i) {
          if (scores[i] == row_max) {
            EXPECT_GT(weights[0][i], 0) << "beta " << beta << ", score " << i;
          }
          if (beta == 0) {
            EXPECT_NEAR(weights[0][i], 1 / static_cast<double>(scores.size()), 1e-15);
          }
        }
      }
    }
  }
  EXPECT_EQ(weights_of(rows[0], Sparsemax{1})[0][0], 1); // scores one apart: all weight is on the largest
  EXPECT_EQ(weights_of(rows[2], Sparsemax{1})[0][0], 0.5);
  EXPECT_EQ(weights_of(rows[2], Entmax15{1})[0][2], 0);
}

TEST(Separation, PolynomialOfHighDegreeDoesNotOverflow) {
  const RealPatterns weights = weights_of({1e200, 1e200, -3, 0}, Polynomial{30});
  EXPECT_EQ(weights[0][0], 0.5);
  EXPECT_EQ(weights[0][1], 0.5);
  EXPECT_EQ(weights[0][2], 0);
}

TEST(Separation, PolynomialWeightsArePowersOfTheScores) {
  const RealPatterns weights = weights_of({1, 2, -4}, Polynomial{3});
  EXPECT_NEAR(weights[0][0], 1.0 / 9, 1e-15);
  EXPECT_NEAR(weights[0][1], 8.0 / 9, 1e-15);
}

TEST(Separation, CircleIntersectionWeightsAreRatiosOfCounts) {
  const Separation circle = CircleIntersection{.bits = 16, .hamming_radius = 4};
  const RealPatterns weights = weights_of({0, -1, -2, -5, -9}, circle, ScoreKind::minus_hamming, 16);
  const double total = 2517 + 1152 + 1152 + 250; // exact counts at distances 0, 1, 2, 5; the count at 9 is 0
  EXPECT_DOUBLE_EQ(weights[0][0], 2517 / total);
  EXPECT_DOUBLE_EQ(weights[0][1], 1152 / total);
  EXPECT_EQ(weights[0][1], weights[0][2]);
  EXPECT_DOUBLE_EQ(weights[0][3], 250 / total);
  EXPECT_EQ(weights[0][4], 0);
}

TEST(Separation, CosinesAndHammingDistancesAreEquivalent) {
  const Separation circle = CircleIntersection{.bits = 64, .hamming_radius = 20};
  const RealPatterns by_distance = weights_of({-3, -10, -32}, circle, ScoreKind::minus_hamming, 64);
  const RealPatterns by_cosine = weights_of({1 - 6.0 / 64, 1 - 20.0 / 64, 0}, circle, ScoreKind::cosine, 64);
  EXPECT_EQ(by_distance, by_cosine);
}

TEST(Separation, CircleIntersectionWorksBeyondTheRangeOfDoubles) {
  // With 2^2000 addresses, counts overflow but weights must not.
  const RealPatterns weights = weights_of(
      {-100, -1000}, CircleIntersection{.bits = 2000, .hamming_radius = 980}, ScoreKind::minus_hamming, 2000);
  const double difference =
      theory::log_circle_intersection(2000, 980, 1000) - theory::log_circle_intersection(2000, 980, 100);
  EXPECT_NEAR(weights[0][1] / weights[0][0], std::exp(difference), 1e-12);
  EXPECT_NEAR(sum_of(weights), 1, 1e-14);
}

TEST(Separation, FiniteLocationsPreserveTheExpectedNumber) {
  // 70 of the 2^16 addresses are in both circles at distance 7, so the expected number is known exactly.
  for (const double r : {65536.0, 20000.0}) {
    const Separation circle = CircleIntersection{
        .bits = 16, .hamming_radius = 4, .locations = FiniteLocations{.hard_locations = r}};
    constexpr int64_t kDraws = 4000;
    const RealPatterns scores(kDraws, 2, std::vector<double>(2 * kDraws, -7.0)); // 70 of 65536 addresses
    const Scores all{scores, ScoreKind::minus_hamming, 16};
    const RealPatterns weights = separate(all, circle);
    double first_is_larger = 0;
    for (int64_t q = 0; q < kDraws; ++q) {
      first_is_larger += weights[q][0] > weights[q][1] ? 1 : 0;
    }
    const double expected = 70 * r / 65536, up = expected - std::floor(expected);
    EXPECT_NEAR(first_is_larger / kDraws, up * (1 - up), 0.04) << "r = " << r;
  }
}

TEST(Separation, FiniteLocationsUseTheGivenRandomNumbers) {
  FiniteLocations locations{.hard_locations = 65536.0 / 100};
  locations.draw = [](int64_t, int64_t, int64_t stored) { return stored == 0 ? 0.69 : 0.71; };
  const RealPatterns weights =
      weights_of({-7, -7}, CircleIntersection{.bits = 16, .hamming_radius = 4, .locations = locations},
                 ScoreKind::minus_hamming, 16);
  EXPECT_EQ(weights[0][0], 1); // 0.70 expected locations: 1 if the random number is below
  EXPECT_EQ(weights[0][1], 0);
}

TEST(Separation, CapIntersectionDecreasesToZeroWithTheAngle) {
  const RealPatterns weights = weights_of(
      {1, 0.99, 0.9, 0.5, -0.6}, CapIntersection{.size = 64, .hamming_radius = 15}, ScoreKind::cosine, 64);
  for (size_t i = 0; i + 1 < 4; ++i) {
    EXPECT_GT(weights[0][i], weights[0][i + 1]);
  }
  EXPECT_EQ(weights[0][4], 0); // beyond twice the half-angle
}

TEST(Separation, RadiusIsInclusive) {
  const RealPatterns weights = weights_of({-3, -4, -5}, Radius{4}, ScoreKind::minus_hamming, 16);
  EXPECT_EQ(weights, RealPatterns(1, 3, {0.5, 0.5, 0}));
}

TEST(Separation, WeightsAreZeroWhereNoPatternIsActivated) {
  EXPECT_EQ(weights_of({-9, -10}, Radius{4}, ScoreKind::minus_hamming, 16), RealPatterns(1, 2));
  EXPECT_EQ(weights_of({-1, -2}, Polynomial{}), RealPatterns(1, 2));
}

TEST(Separation, ReportsInvalidArguments) {
  const auto error_of = [](const Separation& separation, ScoreKind kind, int64_t size) {
    return usage_error([&] { weights_of({-1}, separation, kind, size); });
  };
  expect_contains(
      error_of(CircleIntersection{.bits = 64, .hamming_radius = 65}, ScoreKind::minus_hamming, 64),
      {"65", "0 .. 64"});
  expect_contains(error_of(CircleIntersection{.bits = 64, .hamming_radius = 6}, ScoreKind::minus_hamming, 32),
                  {"64", "32"});
  expect_contains(error_of(CircleIntersection{.bits = 64, .hamming_radius = 6}, ScoreKind::other, 64),
                  {"Hamming or Cosine"});
  expect_contains(error_of(CapIntersection{.size = 64, .hamming_radius = 64}, ScoreKind::cosine, 64),
                  {"64", "1 .. 63"});
  expect_contains(error_of(Radius{-1}, ScoreKind::cosine, 64), {"-1", "0 .. 64"});
  expect_contains(error_of(Softmax{-2}, ScoreKind::other, 64), {"-2", "at least 0"});
  expect_contains(error_of(Softmax{std::nan("")}, ScoreKind::other, 64), {"nan"});
  expect_contains(error_of(Polynomial{0}, ScoreKind::other, 64), {"degree 0"});
  expect_contains(error_of(CircleIntersection{.bits = 64,
                                              .hamming_radius = 6,
                                              .locations = FiniteLocations{.hard_locations = 0}},
                           ScoreKind::minus_hamming, 64),
                  {"hard locations is 0"});
}

TEST(Separation, RefusesDistancesOutOfRange) {
  for (const Separation& separation :
       {Separation(CircleIntersection{.bits = 64, .hamming_radius = 6}),
        Separation(CapIntersection{.size = 64, .hamming_radius = 6}), Separation(Radius{6})}) {
    for (const double score : {-65.0, 1.0, -1e300}) {
      expect_contains(usage_error([&] {
                        weights_of({0, score}, separation, ScoreKind::minus_hamming, 64);
                      }),
                      {"score 1 of query 0", "-64 to 0"});
    }
    EXPECT_NO_THROW(weights_of({0, -64}, separation, ScoreKind::minus_hamming, 64));
  }
  EXPECT_NO_THROW(weights_of({0, -65}, Softmax{1}, ScoreKind::minus_hamming, 64));
}

} // namespace
} // namespace mneme
