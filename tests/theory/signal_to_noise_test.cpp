// SPDX-License-Identifier: MIT

#include "mneme/theory/signal_to_noise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

constexpr SdmParameters kPublished{
    .bits = 100, .hard_locations = 10000, .hamming_radius = 35, .patterns = 100};

TEST(SignalToNoise, MatchesThePublishedNumbers) {
  const auto jaeckel = signal_to_noise(kPublished, {.noise = NoiseModel::jaeckel});
  EXPECT_NEAR(jaeckel[0].signal, 17.5882, 5e-5);
  EXPECT_NEAR(jaeckel[0].noise_deviation, 4.43690, 5e-6);
  EXPECT_NEAR(jaeckel[0].ratio, 3.96408, 5e-6);
  const auto book = signal_to_noise(kPublished, {.noise = NoiseModel::book});
  EXPECT_NEAR(book[0].noise_deviation, 1.76975, 5e-6);
  EXPECT_NEAR(book[0].ratio, 9.93822, 5e-6);
  EXPECT_EQ(book[20].noise_deviation, book[0].noise_deviation);
}

TEST(SignalToNoise, UsesTheGivenDistanceOfUnrelatedPatterns) {
  const auto at_half = signal_to_noise(kPublished, {.noise = NoiseModel::jaeckel});
  const auto nearer = signal_to_noise(kPublished, {.noise = NoiseModel::jaeckel, .unrelated_distance = 40});
  const double lambda = at_half[40].signal, i0 = at_half[50].signal, signal = at_half[10].signal;
  EXPECT_NEAR(std::pow(at_half[10].noise_deviation, 2), signal + 99 * (i0 + i0 * i0), 1e-12);
  EXPECT_NEAR(std::pow(nearer[10].noise_deviation, 2), signal + 99 * (lambda + lambda * lambda), 1e-12);
}

// The means over random distances exceed the value at n / 2, because lambda and lambda^2 are convex functions
// of the distance.
TEST(SignalToNoise, AveragedNoiseExceedsThatAtHalfTheBits) {
  for (const int64_t radius : {10, 30, 45}) {
    SdmParameters parameters = kPublished;
    parameters.hamming_radius = radius;
    EXPECT_GT(signal_to_noise(parameters)[0].noise_deviation,
              signal_to_noise(parameters, {.noise = NoiseModel::jaeckel})[0].noise_deviation);
  }
}

TEST(SignalToNoise, OfASinglePatternIsTheSquareRootOfTheSharedLocations) {
  const auto reads =
      signal_to_noise({.bits = 64, .hard_locations = 1e6, .hamming_radius = 19, .patterns = 1});
  EXPECT_NEAR(reads[10].ratio, std::sqrt(reads[10].signal), 1e-12);
  EXPECT_EQ(reads[39].signal, 0);
  EXPECT_EQ(reads[39].noise_deviation, 0);
  EXPECT_EQ(reads[39].ratio, 0);
}

TEST(SignalToNoise, IsFiniteAtTheLargestCounts) {
  for (const NoiseModel noise : {NoiseModel::averaged, NoiseModel::jaeckel, NoiseModel::book}) {
    const auto reads = signal_to_noise(
        {.bits = 1000, .hard_locations = 1e100, .hamming_radius = 1000, .patterns = 1e100}, {.noise = noise});
    EXPECT_TRUE(std::isfinite(reads[0].noise_deviation));
    EXPECT_TRUE(std::isfinite(reads[0].ratio));
  }
}

TEST(SignalToNoise, ReportsInvalidArguments) {
  SdmParameters parameters = kPublished;
  parameters.patterns = 0;
  EXPECT_TRUE(contains_all(usage_error_of([&] { signal_to_noise(parameters); }), {"patterns is 0"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { signal_to_noise(kPublished, {.unrelated_distance = 101}); }),
                           {"101", "100"}));
}

TEST(SignalToNoise, OfTheBestRadiusIsTheLargest) {
  for (const SdmParameters& parameters :
       {SdmParameters{.bits = 1000, .hard_locations = 1e6, .patterns = 10000},
        SdmParameters{.bits = 32, .hard_locations = 1000, .patterns = 20},
        SdmParameters{.bits = 1000, .hard_locations = 1, .patterns = 10000}, // far from the closed form
        SdmParameters{.bits = 64, .hard_locations = 1e19, .patterns = 1024},
        SdmParameters{.bits = 1, .hard_locations = 5, .patterns = 3}}) {
    const auto ratio_at = [&](int64_t radius) {
      SdmParameters tried = parameters;
      tried.hamming_radius = radius;
      return signal_to_noise(tried)[0].ratio;
    };
    const int64_t best = best_hamming_radius_for_signal_to_noise(parameters);
    for (int64_t radius = std::max<int64_t>(0, best - 20); radius <= std::min(parameters.bits, best + 20);
         ++radius) {
      EXPECT_LE(ratio_at(radius), ratio_at(best)) << parameters.bits << " bits, " << radius << " or " << best;
    }
  }
  EXPECT_EQ(best_hamming_radius_for_signal_to_noise({.bits = 1000, .hard_locations = 1e6, .patterns = 10000}),
            446); // the published formula gives 447
}

TEST(SignalToNoise, OfTheBookIsFiniteForTinyCircles) {
  const SdmParameters tiny{.bits = 1000, .hard_locations = 1e6, .hamming_radius = 1, .patterns = 10000};
  const SignalToNoise book = signal_to_noise(tiny, {.noise = NoiseModel::book})[0];
  EXPECT_GT(book.noise_deviation, 0);
  EXPECT_NEAR(book.ratio, std::sqrt(tiny.hard_locations / tiny.patterns), 1e-9);
}

} // namespace
} // namespace mneme::theory
