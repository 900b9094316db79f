// SPDX-License-Identifier: MIT

#include "mneme/theory/critical_distance.h"

#include <cmath>
#include <limits>
#include <tuple>

#include <gtest/gtest.h>

#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

SdmParameters full_size(int64_t radius) {
  return {.bits = 1000, .hard_locations = 1e6, .hamming_radius = radius, .patterns = 10000};
}

int64_t published(const SdmParameters& parameters, const SignalToNoiseOptions& options) {
  return published_critical_distance(published_distances_after_read(parameters, options)).distance;
}

// In a full-size simulation with 200 cues per distance, the crossing of one read is at 231; see
// read_statistics for the accuracy of the formula.
TEST(CriticalDistance, IsNearTheSimulatedOneReadCrossing) {
  const CriticalDistance critical = critical_distance(full_size(451));
  EXPECT_EQ(critical.distance, 234);
  EXPECT_EQ(critical.first, 1);
  EXPECT_EQ(critical_distance(full_size(451), Storage::heteroassociative).distance, 154);
}

TEST(CriticalDistance, ByBitErrorRateIsWhereTheReadoutHasAsManyWrongBitsAsTheCue) {
  const SdmParameters parameters{.bits = 256, .hard_locations = 1e5, .hamming_radius = 105, .patterns = 500};
  const int64_t distance = critical_distance_by_bit_error_rate(parameters).distance;
  const int64_t around[] = {distance, distance + 1, distance + 2};
  const std::vector<double> rates = bit_error_rates_after_read(parameters, around);
  EXPECT_LT(256 * rates[0], static_cast<double>(distance));
  EXPECT_GE(256 * rates[1], static_cast<double>(distance + 1));
  EXPECT_GE(256 * rates[2], static_cast<double>(distance + 2));
}

TEST(CriticalDistance, ByBitErrorRateIsZeroIfReadsReturnTheCue) {
  SdmParameters parameters = full_size(0); // no location is activated
  EXPECT_EQ(critical_distance_by_bit_error_rate(parameters).distance, 0);
}

TEST(CriticalDistance, IsZeroBeyondTheCapacity) {
  EXPECT_EQ(critical_distance(full_size(384)).distance, 0); // too few locations are activated
  EXPECT_EQ(critical_distance(full_size(470)).distance, 0); // too many are activated
}

TEST(CriticalDistance, IsLargeInAnAlmostEmptyMemory) {
  SdmParameters parameters = full_size(451);
  parameters.patterns = 2;
  EXPECT_GE(critical_distance(parameters).distance, 400);
}

TEST(CriticalDistance, EndsAtTwoConsecutiveDistancesWithoutReduction) {
  const std::vector<double> stairs = {
      0, 0, 0, 3.5, 3.5, 6, 6, 8, 8.5}; // a read increases the distance from 3, but reduces it from 4
  EXPECT_EQ(critical_distance(stairs).distance, 4);
  EXPECT_EQ(critical_distance(stairs).first, 1);
}

TEST(CriticalDistance, EndsAtTwoConsecutiveStairsWhoseFootIsNotReduced) {
  // The upper step of every stair is below the diagonal, up to distances that any read reduces.
  const std::vector<double> stairs = {0, 0, 0, 2.5, 2.5, 5.1, 5.2, 7.1, 7.2, 9.1, 9.2, 10.5, 10.6};
  EXPECT_EQ(critical_distance(stairs).distance, 6);
  const std::vector<double> one_foot = {0, 0, 0, 2.5, 2.5, 5.1, 5.2, 6.9, 7.1, 9.1, 10.2};
  EXPECT_EQ(critical_distance(one_foot).distance, 8);
}

// In simulations of such memories with 15 reads, at most 3 % of the cues converge from 96 bits or more.
TEST(CriticalDistance, OfASmallMemoryChangesLittleWithTheNumberOfPatterns) {
  const auto with = [](double patterns) {
    return SdmParameters{.bits = 256, .hard_locations = 1e4, .hamming_radius = 109, .patterns = patterns};
  };
  EXPECT_EQ(critical_distance(with(100)).distance, 98);
  EXPECT_EQ(critical_distance_by_bit_error_rate(with(100)).distance, 98);
  EXPECT_EQ(critical_distance(with(110)).distance, 94);
  EXPECT_EQ(critical_distance_by_bit_error_rate(with(110)).distance, 92);
  EXPECT_EQ(critical_distance(with(150)).distance, 80);
}

TEST(CriticalDistance, IsAtMostTheDistanceAtWhichAnotherPatternIsNearer) {
  // A read reduces all distances. Of 29 random patterns of 64 bits, the nearest is within 23 bits of a cue in
  // less than half of all cases, and within 24 bits in more.
  const SdmParameters parameters{.bits = 64, .hard_locations = 1000, .hamming_radius = 24, .patterns = 30};
  EXPECT_EQ(critical_distance(parameters).distance, 23);
  EXPECT_EQ(critical_distance_by_bit_error_rate(parameters).distance, 23);
  SdmParameters single = parameters;
  single.patterns = 1;
  EXPECT_EQ(critical_distance(single).distance, 32); // there is no other pattern
}

TEST(CriticalDistance, StartsAboveTheResidualError) {
  const std::vector<double> noisy = {2, 2, 2.5, 2.5, 2.5, 3, 7, 8, 8, 9, 9};
  EXPECT_EQ(critical_distance(noisy).first, 3);
  EXPECT_EQ(critical_distance(noisy).distance, 5);
}

TEST(CriticalDistance, IgnoresRangesThatStartMoreThanHalfWay) {
  const std::vector<double> drowned = {5, 5, 6, 6, 7, 7, 7, 6.5, 6.5};
  EXPECT_EQ(critical_distance(drowned).distance, 0);
}

TEST(CriticalDistance, SupportsVeryShortCurves) {
  EXPECT_EQ(critical_distance(std::vector<double>{0}).distance, 0);
  EXPECT_EQ(critical_distance(std::vector<double>{0, 0}).distance,
            0); // the only step is more than half way along the curve
  EXPECT_EQ(critical_distance(std::vector<double>{0, 0, 0}).distance, 2);
}

TEST(PublishedCriticalDistance, MatchesTheNumbersOfThePaper) {
  EXPECT_EQ(published(full_size(451), {.noise = NoiseModel::jaeckel}), 164);
  EXPECT_EQ(published(full_size(451), {.noise = NoiseModel::book}), 212);
  EXPECT_EQ(published(full_size(451), {.noise = NoiseModel::book, .book_intersection = true}), 194);
  const double all = std::pow(2.0, 64);
  for (const auto& [radius, distance] :
       {std::pair<int64_t, int64_t>{5, 11}, {11, 23}, {15, 31}, {16, 30}, {22, 12}, {23, 0}, {27, 0}}) {
    EXPECT_EQ(published({.bits = 64, .hard_locations = all, .hamming_radius = radius, .patterns = 1024},
                        {.noise = NoiseModel::jaeckel}),
              distance)
        << radius;
  }
}

TEST(PublishedCriticalDistance, ReproducesTheSpecialCases) {
  // No value is 0.01 above the diagonal: the last distance. A single NaN has no effect.
  EXPECT_EQ(published_critical_distance(std::vector<double>{0, 0, 0, 0}).distance, 3);
  EXPECT_EQ(published_critical_distance(std::vector<double>{0, 0, 0, kNaN}).distance, 3);
  // With two NaN: the number of other values.
  EXPECT_EQ(published_critical_distance(std::vector<double>{0, 0, kNaN, kNaN}).distance, 2);
  // Distances below 5 are ignored; the result is 4 if there is no crossing above ...
  EXPECT_EQ(published_critical_distance(std::vector<double>{0, 0, 0, 0, 4.5, 0, 0}).distance, 4);
  EXPECT_TRUE(published_critical_distance(std::vector<double>{0, 0, 0, 0, 4.5, 0, 0}).is_default);
  EXPECT_FALSE(published_critical_distance(std::vector<double>{0, 0, 0, 0, 4.5, 5.5, 0}).is_default);
  EXPECT_EQ(published_critical_distance(std::vector<double>{0, 0, 0, 0, 4.5, 0, 0, 7.5}).distance, 6);
  // ... unless a read from half of it increases the distance.
  const PublishedCriticalDistance forced =
      published_critical_distance(std::vector<double>{0, 0, 2.5, 0, 0, 0});
  EXPECT_EQ(forced.distance, 0);
  EXPECT_TRUE(forced.forced_to_zero);
}

TEST(PublishedCriticalDistance, HasNaNWhereNoLocationIsShared) {
  const std::vector<double> after = published_distances_after_read(
      {.bits = 64, .hard_locations = std::pow(2.0, 64), .hamming_radius = 5, .patterns = 10});
  EXPECT_FALSE(std::isnan(after[10]));
  EXPECT_TRUE(std::isnan(after[11]));
  EXPECT_EQ(published_critical_distance(after).distance, 11);
}

TEST(CriticalDistance, DoesNotOverflowAt10000Bits) {
  const CriticalDistance critical =
      critical_distance({.bits = 10000, .hard_locations = 1e6, .hamming_radius = 4845, .patterns = 10000});
  EXPECT_GT(critical.distance, 1000);
  EXPECT_LT(critical.distance, 4000);
}

TEST(CriticalDistance, ReportsInvalidArguments) {
  EXPECT_TRUE(contains_all(usage_error_of([] { critical_distance(std::span<const double>()); }), {"empty"}));
  EXPECT_TRUE(contains_all(usage_error_of([] {
                             critical_distance(std::vector<double>{0, kNaN});
                           }),
                           {"distance 1", "nan"}));
  EXPECT_TRUE(contains_all(usage_error_of([] {
                             critical_distance(std::vector<double>{0, -1});
                           }),
                           {"distance 1", "-1"}));
  EXPECT_TRUE(contains_all(usage_error_of([] {
                             published_critical_distance(std::vector<double>{0, -1});
                           }),
                           {"-1"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { critical_distance(full_size(1001)); }), {"1001", "1000"}));
}

} // namespace
} // namespace mneme::theory
