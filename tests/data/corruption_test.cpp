// SPDX-License-Identifier: MIT

#include "mneme/data/corruption.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h> // must precede rapidcheck, which does not include it
#include <rapidcheck/gtest.h>

#include "data/testing.h"
#include "mneme/core/parallel.h"
#include "mneme/data/glyphs.h"
#include "mneme/data/random_patterns.h"

namespace mneme::data {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double length(std::span<const double> pattern) {
  double squares = 0;
  for (const double x : pattern) {
    squares += x * x;
  }
  return std::sqrt(squares);
}

RC_GTEST_PROP(FlipBits, FlipsExactlyThatManyBits, (uint64_t seed)) {
  const auto bits = *rc::gen::inRange<int64_t>(1, 200);
  const auto flips = *rc::gen::inRange<int64_t>(0, bits + 1);
  const BitPatterns before = random_bits(5, bits, Random(seed));
  const BitPatterns after = flip_bits(before, flips, Random(seed).stream(1));
  for (int64_t i = 0; i < 5; ++i) {
    RC_ASSERT(hamming_distance(before, i, after, i) == flips);
  }
}

TEST(FlipBits, InvertsPixels) {
  const RealPatterns before(2, 3, {0, 1, 0.25, 0, 1, 0.25});
  EXPECT_EQ(flip_bits(before, 3, Random(1)), RealPatterns(2, 3, {1, 0, 0.75, 1, 0, 0.75}));
  const PatternSet glyphs = builtin_glyphs();
  EXPECT_EQ(to_bits(flip_bits(glyphs.patterns, 40, Random(2)), 0.5),
            flip_bits(to_bits(glyphs.patterns, 0.5), 40, Random(2)));
}

TEST(FlipBits, RejectsMoreFlipsThanBits) {
  expect_error<UsageError>([] { flip_bits(BitPatterns(1, 8), 9, Random(1)); }, {"flips is 9", "8 bits"});
  expect_error<UsageError>([] { flip_bits(RealPatterns(1, 8), 9, Random(1)); }, {"flips is 9", "8 bits"});
  expect_error<UsageError>([] { flip_bits(BitPatterns(1, 8), -1, Random(1)); }, {"flips is -1"});
}

TEST(FlipBits, RejectsNumbersOutsideZeroToOne) {
  for (const double bad : {-0.5, 1.5, kNan}) {
    expect_error<UsageError>(
        [&] {
          flip_bits(RealPatterns(2, 2, {0, 1, 0, bad}), 1, Random(1));
        },
        {"pattern 1, position 1", "0 to 1"});
  }
}

RC_GTEST_PROP(CosineNoise, HasTheRequestedCosineAndKeepsTheLength, (uint64_t seed)) {
  const auto size = *rc::gen::inRange<int64_t>(2, 50);
  const double requested = *rc::gen::inRange(-1000, 1001) / 1000.0;
  RealPatterns before = random_sphere(4, size, Random(seed));
  for (double& x : before[3]) {
    x *= 1e200; // squares would overflow
  }
  const RealPatterns after = cosine_noise(before, requested, Random(seed).stream(1));
  for (int64_t i = 0; i < 4; ++i) {
    RealPatterns pair(2, size);
    std::copy(before[i].begin(), before[i].end(), pair[0].begin());
    std::copy(after[i].begin(), after[i].end(), pair[1].begin());
    const RealPatterns unit = normalised(pair);
    RC_ASSERT(std::abs(cosine(unit, 0, unit, 1) - requested) < 1e-12);
    const double scale = i == 3 ? 1e200 : 1;
    std::transform(pair[1].begin(), pair[1].end(), pair[1].begin(), [&](double x) { return x / scale; });
    RC_ASSERT(std::abs(length(pair[1]) - 1) < 1e-12);
  }
}

TEST(CosineNoise, RotatesEveryPatternDifferently) {
  const RealPatterns same(2, 3, {1, 2, 3, 1, 2, 3});
  const RealPatterns after = cosine_noise(same, 0.5, Random(1));
  EXPECT_NE(after[0][0], after[1][0]);
}

TEST(RotateTowards, RotatesTowardsTheGivenDirection) {
  const std::vector<double> after = rotate_towards(std::vector<double>{2, 0}, 0.6, std::vector<double>{5, 3});
  EXPECT_NEAR(after[0], 2 * 0.6, 1e-15);
  EXPECT_NEAR(after[1], 2 * 0.8, 1e-15);
  expect_error<UsageError>(
      [] {
        rotate_towards(std::vector<double>{2, 0}, 0.6, std::vector<double>{5, 0});
      },
      {"parallel to the pattern"});
  expect_error<UsageError>(
      [] {
        rotate_towards(std::vector<double>{2, 0}, 0.6, std::vector<double>{5});
      },
      {"direction has size 1", "pattern has size 2"});
  expect_error<UsageError>(
      [] {
        rotate_towards(std::vector<double>{0, 0}, 0.6, std::vector<double>{5, 1});
      },
      {"all zeros"});
}

TEST(CosineNoise, RejectsInvalidCosinesAndPatterns) {
  const RealPatterns fine(1, 2, {1, 0});
  for (const double bad : {1.5, -1.5, kNan}) {
    expect_error<UsageError>([&] { cosine_noise(fine, bad, Random(1)); }, {"cosine is", "-1 to 1"});
  }
  expect_error<UsageError>([] { cosine_noise(RealPatterns(1, 1, {1}), 0.5, Random(1)); },
                           {"size 1", "at least 2"});
  expect_error<UsageError>(
      [] {
        cosine_noise(RealPatterns(2, 2, {1, 0, 0, 0}), 0.5, Random(1));
      },
      {"pattern 1 is all zeros"});
  expect_error<UsageError>(
      [] {
        cosine_noise(RealPatterns(2, 2, {kNan, 0, 1, 0}), 0.5, Random(1));
      },
      {"pattern 0 contains nan"});
  const double max = std::numeric_limits<double>::max();
  expect_error<UsageError>(
      [&] {
        cosine_noise(RealPatterns(1, 2, {max, max}), 0, Random(1));
      },
      {"pattern 0", "overflows a double"});
}

TEST(Mask, HalfKeepsTheUpperRowsOfAnImage) {
  const RealPatterns image(1, 12, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  EXPECT_EQ(mask(image, 0.5, {4, 3, 1}), RealPatterns(1, 12, {1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(mask(image, 0.5, {2, 2, 3}), RealPatterns(1, 12, {1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(mask(image, 0.3, {4, 3, 1}), RealPatterns(1, 12, {1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0}));
  EXPECT_EQ(mask(image, 0.5, {3, 4, 1}),
            RealPatterns(1, 12, {1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0})); // 1.5 rows
}

TEST(Mask, MasksNumbersAtTheEndWithoutAnImageShape) {
  EXPECT_EQ(mask(RealPatterns(2, 4, {1, 2, 3, 4, 5, 6, 7, 8}), 0.25),
            RealPatterns(2, 4, {1, 2, 3, 0, 5, 6, 7, 0}));
  EXPECT_EQ(mask(RealPatterns(1, 2, {1, 2}), 0), RealPatterns(1, 2, {1, 2}));
  EXPECT_EQ(mask(RealPatterns(1, 2, {1, 2}), 1), RealPatterns(1, 2));
}

TEST(Mask, IsTheSameForBits) {
  const PatternSet glyphs = builtin_glyphs();
  for (const double fraction : {0.0, 0.1, 0.5, 1.0}) {
    EXPECT_EQ(mask(to_bits(glyphs.patterns, 0.5), fraction, glyphs.image_shape()),
              to_bits(mask(glyphs.patterns, fraction, glyphs.image_shape()), 0.5));
  }
}

TEST(Mask, RejectsInvalidFractionsAndShapes) {
  for (const double bad : {-0.1, 1.1, kNan}) {
    expect_error<UsageError>([&] { mask(RealPatterns(1, 4), bad); }, {"mask", "fraction is", "0 to 1"});
    expect_error<UsageError>([&] { salt_and_pepper(BitPatterns(1, 4), bad, Random(1)); },
                             {"salt_and_pepper", "0 to 1"});
  }
  for (const ImageShape bad : {ImageShape{2, 3, 1}, ImageShape{-2, -2, 1}, ImageShape{4, 0, 0},
                               ImageShape{int64_t{1} << 62, int64_t{1} << 62, 4}}) {
    expect_error<UsageError>([&] { mask(RealPatterns(1, 4), 0.5, bad); },
                             {"4 numbers", std::to_string(bad.height)});
    expect_error<UsageError>([&] { mask(BitPatterns(1, 4), 0.5, bad); },
                             {"4 numbers", std::to_string(bad.height)});
  }
}

TEST(Mask, NamesTheMissingChannelsOfAShape) {
  expect_error<UsageError>([&] { mask(BitPatterns(1, 6), 0.5, {.height = 2, .width = 3}); },
                           {"6 numbers", "height 2, width 3 and 0 channels", "channels to 1 for grey"});
}

TEST(SaltAndPepper, ChangesTheRequestedFractionWithEqualProbability) {
  const RealPatterns before(50, 1000, std::vector<double>(50000, 0.5));
  const RealPatterns after = salt_and_pepper(before, 0.2, Random(5));
  int64_t salt = 0;
  for (int64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(std::count(after[i].begin(), after[i].end(), 0.5), 800);
    salt += std::count(after[i].begin(), after[i].end(), 1.0);
  }
  EXPECT_NEAR(static_cast<double>(salt), 5000, 5 * std::sqrt(10000) / 2);
}

TEST(SaltAndPepper, IsTheSameForBits) {
  const PatternSet glyphs = builtin_glyphs();
  const BitPatterns bits = to_bits(glyphs.patterns, 0.5);
  const BitPatterns after = salt_and_pepper(bits, 0.3, Random(6));
  EXPECT_EQ(after, to_bits(salt_and_pepper(glyphs.patterns, 0.3, Random(6)), 0.5));
  for (int64_t i = 0; i < bits.count(); ++i) {
    EXPECT_LE(hamming_distance(bits, i, after, i), 77); // 0.3 of 256
    EXPECT_GT(hamming_distance(bits, i, after, i), 10);
  }
}

TEST(Corruption, DoesNotDependOnOtherPatternsOrThreads) {
  const int before = threads();
  const BitPatterns bits = random_bits(300, 100, Random(7));
  const RealPatterns points = random_sphere(300, 20, Random(7));
  set_threads(4);
  const BitPatterns flipped = flip_bits(bits, 10, Random(8)), salted = salt_and_pepper(bits, 0.2, Random(8));
  const RealPatterns rotated = cosine_noise(points, 0.3, Random(8));
  set_threads(1);
  EXPECT_EQ(flip_bits(slice(bits, 0, 5), 10, Random(8)), slice(flipped, 0, 5));
  EXPECT_EQ(salt_and_pepper(slice(bits, 0, 5), 0.2, Random(8)), slice(salted, 0, 5));
  EXPECT_EQ(cosine_noise(slice(points, 0, 5), 0.3, Random(8)), slice(rotated, 0, 5));
  EXPECT_EQ(flip_bits(bits, 10, Random(8)), flipped);
  set_threads(before);
}

} // namespace
} // namespace mneme::data
