// SPDX-License-Identifier: MIT

#include "mneme/data/scale.h"

#include <vector>

#include <gtest/gtest.h>

#include "data/testing.h"

namespace mneme::data {
namespace {

PatternSet set_of(const std::vector<double>& numbers, double file_scale, const std::string& source) {
  return {.patterns = {1, static_cast<int64_t>(numbers.size()), numbers},
          .file_scale = file_scale,
          .source = source};
}

TEST(MatchScale, KeepsCuesInASimilarRange) {
  const PatternSet patterns = set_of({0, 1, 0.5}, 255, "bytes");
  for (const std::vector<double>& numbers :
       {std::vector<double>{0, 1, 0.2}, {0.1, 0.9, 0.4}, {-0.3, 1.4, 0.5}, {0, 0, 0}}) {
    PatternSet cues = set_of(numbers, 1, "cues");
    EXPECT_EQ(match_scale(patterns, cues), "");
    EXPECT_EQ(std::vector<double>(cues.patterns[0].begin(), cues.patterns[0].end()), numbers);
  }
}

TEST(MatchScale, RescalesCuesByTheScalesOfBothFiles) {
  const PatternSet bytes = set_of({0, 1, 0.2}, 255, "bytes"), numbers = set_of({0, 255, 51}, 1, "numbers");
  PatternSet cues = numbers;
  EXPECT_EQ(match_scale(bytes, cues), "The cues were divided by 255 to match the scale of the patterns.");
  EXPECT_DOUBLE_EQ(cues.patterns[0][1], 1);
  EXPECT_DOUBLE_EQ(cues.patterns[0][2], 0.2);
  cues = bytes;
  EXPECT_EQ(match_scale(numbers, cues),
            "The cues were multiplied by 255 to match the scale of the patterns.");
  EXPECT_DOUBLE_EQ(cues.patterns[0][2], 51);
}

TEST(MatchScale, ReportsBothRangesIfTheyDoNotMatch) {
  const PatternSet patterns = set_of({0, 200, 100}, 1, "stored.npy");
  PatternSet cues = set_of({0, 1, 0.5}, 1, "cues.npy");
  expect_error<UsageError>([&] { match_scale(patterns, cues); },
                           {"0 to 1 (cues.npy)", "0 to 200 (stored.npy)", "same scale"});
  PatternSet large = set_of({0, 255, 3}, 1, "large.npy");
  expect_error<UsageError>([&] { match_scale(cues, large); }, {"0 to 255 (large.npy)", "0 to 1 (cues.npy)"});
}

TEST(MatchScale, DoesNotMixBitsWithSigns) {
  const PatternSet bits = set_of({0, 1, 1}, 1, "bits"), signs = set_of({-1, 1, 1}, 1, "signs");
  PatternSet cues = signs;
  expect_error<UsageError>([&] { match_scale(bits, cues); }, {"-1 to 1 (signs)", "0 to 1 (bits)"});
  cues = bits;
  expect_error<UsageError>([&] { match_scale(signs, cues); }, {"0 to 1 (bits)", "-1 to 1 (signs)"});
  PatternSet ones = set_of({1, 1, 1}, 1, "ones");
  EXPECT_EQ(match_scale(signs, ones), "") << "a cue that is +1 everywhere";
}

TEST(RequireBothBits, RefusesCuesOnOneSideOfTheThresholdThatDividesThePatterns) {
  const PatternSet bits = set_of({0, 1, 1}, 1, "bits.npy");
  const ThresholdChoice half{0.5, "halfway between 0 and 1"};
  expect_error<UsageError>(
      [&] {
        require_both_bits(bits, half, set_of({1, 7.97, 3}, 1, "cues.npy"));
      },
      {"1 to 7.97 (cues.npy)", "0 to 1 (bits.npy)", "every bit of the cues would be 1", "above 0.5",
       "scale"});
  expect_error<UsageError>(
      [&] {
        require_both_bits(bits, half, set_of({-4.9, 0.5, -1}, 1, "low.npy"));
      },
      {"every bit of the cues would be 0"});
  const PatternSet bytes = set_of({0, 1}, 255, "bytes");
  expect_error<UsageError>(
      [&] {
        require_both_bits(bytes, {0.5, "half of white"}, set_of({0.6, 0.8}, 255, "cues"), "Advice.");
      },
      {"153 to 204 (cues)", "above 127.5 (half of white)", "\n  Advice."});
  require_both_bits(bits, half, set_of({0.2, 0.9, 7}, 1, "both sides"));
  require_both_bits(bits, half, set_of({3, 3, 3}, 1, "blank"));
  require_both_bits(set_of({1, 1, 2}, 1, "ones"), half, set_of({1, 7.97, 3}, 1, "cues"));
}

} // namespace
} // namespace mneme::data
