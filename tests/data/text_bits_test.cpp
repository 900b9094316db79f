// SPDX-License-Identifier: MIT

#include "mneme/data/text_bits.h"

#include <cmath>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::data {
namespace {

int64_t distance(const std::string& a, const std::string& b, int64_t bits) {
  const BitPatterns patterns = text_bits(std::vector{a, b}, bits);
  return hamming_distance(patterns, 0, patterns, 1);
}

TEST(TextBits, DistanceFollowsTheSharedFeatures) {
  constexpr int64_t kBits = 4096;
  EXPECT_EQ(distance("The train, to Vienna!", "the TRAIN to   vienna", kBits), 0) << "case and punctuation";
  // " ab", "ab ", "b c", " cd", "cd " and the same with other second words: 2 of 5 features are shared, and
  // cosines of sums of random signs estimate the fraction.
  const double expected = kBits * std::acos(2.0 / 5) / std::numbers::pi;
  EXPECT_NEAR(static_cast<double>(distance("ab cd", "ab ef", kBits)), expected, 0.06 * kBits);
  EXPECT_NEAR(static_cast<double>(distance("entirely different", "unknown topics", kBits)), kBits / 2.0,
              0.06 * kBits);
  EXPECT_LT(distance("the train to vienna leaves at nine", "when does the train to vienna leave", kBits),
            distance("the train to vienna leaves at nine", "when does the dentist open", kBits));
}

TEST(TextBits, DistinguishesCharactersOfAllAlphabets) {
  EXPECT_GT(distance("Größe", "Grösse", 1024), 0);
  EXPECT_GT(distance("东京", "京都", 1024), 300);
}

TEST(TextBits, RefusesTextsWithoutWords) {
  const std::vector<std::string> texts{"fine", " ?! "};
  try {
    text_bits(texts, 64);
    FAIL() << "no error was thrown";
  } catch (const UsageError& error) {
    testing::expect_contains(error.what(), {"text 1", " ?! ", "no letters or digits"});
  }
  EXPECT_THROW(text_bits(texts, 0), UsageError);
}

TEST(TextBits, DependOnTheOrderOfWords) { // by the trigrams across two words
  EXPECT_EQ(distance("alpha beta gamma delta", "delta gamma beta alpha", 1024), 105);
}

} // namespace
} // namespace mneme::data
