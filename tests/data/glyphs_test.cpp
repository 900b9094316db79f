// SPDX-License-Identifier: MIT

#include "mneme/data/glyphs.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

namespace mneme::data {
namespace {

TEST(Glyphs, AreBinaryLettersAndDigits) {
  const PatternSet set = builtin_glyphs();
  const std::vector<std::string>& names = set.class_names;
  ASSERT_EQ(set.patterns.count(), 36);
  ASSERT_EQ(set.patterns.size(), 256);
  EXPECT_EQ(set.image_shape(), (ImageShape{16, 16, 1}));
  EXPECT_EQ(set.threshold, 0.5);
  EXPECT_EQ(std::accumulate(names.begin(), names.end(), std::string()),
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
  std::vector<int64_t> indices(36);
  std::iota(indices.begin(), indices.end(), 0);
  EXPECT_EQ(set.labels, indices);
  EXPECT_TRUE(std::all_of(set.patterns.data(), set.patterns.data() + 36 * 256,
                          [](double x) { return x == 0 || x == 1; }));
}

TEST(Glyphs, DifferInAtLeastTwentyPixels) {
  const BitPatterns bits = to_bits(builtin_glyphs().patterns, 0.5);
  const std::vector<std::string> names = builtin_glyphs().class_names;
  for (int64_t i = 0; i < bits.count(); ++i) {
    for (int64_t j = 0; j < i; ++j) {
      EXPECT_GE(hamming_distance(bits, i, bits, j), 20)
          << names[static_cast<size_t>(i)] << " and " << names[static_cast<size_t>(j)];
    }
  }
}

TEST(Glyphs, HaveBetween20And60PercentOfTheirPixelsOn) {
  const PatternSet set = builtin_glyphs();
  for (int64_t i = 0; i < set.patterns.count(); ++i) {
    const double fraction = std::accumulate(set.patterns[i].begin(), set.patterns[i].end(), 0.0) / 256;
    EXPECT_GE(fraction, 0.2) << set.class_names[static_cast<size_t>(i)];
    EXPECT_LE(fraction, 0.6) << set.class_names[static_cast<size_t>(i)];
  }
}

TEST(Glyphs, LookLikeTheirLetters) {
  const PatternSet set = builtin_glyphs();
  const auto at = [&](int64_t glyph, size_t row, size_t column) {
    return set.patterns[glyph][16 * row + column] == 1;
  };
  constexpr int64_t kL = 11, kT = 19;
  EXPECT_TRUE(at(kL, 3, 2) && at(kL, 14, 10)); // stem on the left, foot at the bottom
  EXPECT_FALSE(at(kL, 3, 10));
  EXPECT_TRUE(at(kT, 1, 2) && at(kT, 14, 7)); // bar on top, stem in the middle
  EXPECT_FALSE(at(kT, 14, 2));
}

} // namespace
} // namespace mneme::data
