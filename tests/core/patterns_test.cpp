// SPDX-License-Identifier: MIT

#include "mneme/core/patterns.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"
#include "mneme/core/random.h"

namespace mneme {
namespace {

using testing::contains;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

BitPatterns random_bits(int64_t count, int64_t bits, uint64_t seed) {
  BitPatterns patterns(count, bits);
  Random random(seed);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t b = 0; b < bits; ++b) {
      patterns.set(i, b, random.below(2) == 1);
    }
  }
  return patterns;
}

bool pad_bits_are_zero(const BitPatterns& patterns) {
  for (int64_t i = 0; i < patterns.count() && patterns.words() > 0; ++i) {
    if ((patterns[i].back() & ~patterns.last_word_mask()) != 0) {
      return false;
    }
  }
  return true;
}

/// Expects a UsageError with a message that contains both texts.
void expect_usage_error(const std::function<void()>& action, const std::string& one,
                        const std::string& other) {
  try {
    action();
    ADD_FAILURE() << "no UsageError was thrown";
  } catch (const UsageError& error) {
    EXPECT_TRUE(contains(error.what(), one));
    EXPECT_TRUE(contains(error.what(), other));
  }
}

RC_GTEST_PROP(BitPatternsProperty, PadBitsStayZeroAndBitsAreReadAsWritten, ()) {
  const auto count = *rc::gen::inRange<int64_t>(0, 6);
  const auto bits = *rc::gen::inRange<int64_t>(1, 200);
  BitPatterns patterns(count, bits);
  std::vector<bool> expected(static_cast<size_t>(count * bits));
  Random random(*rc::gen::arbitrary<uint64_t>());
  for (int step = 0; step < 200 && count > 0; ++step) {
    const auto i = static_cast<int64_t>(random.below(static_cast<uint64_t>(count)));
    const auto b = static_cast<int64_t>(random.below(static_cast<uint64_t>(bits)));
    std::vector<bool>::reference bit = expected[static_cast<size_t>(i * bits + b)];
    if (random.below(2) == 0) {
      patterns.flip(i, b);
      bit = !bit;
    } else {
      const bool on = random.below(2) == 0;
      patterns.set(i, b, on);
      bit = on;
    }
  }
  RC_ASSERT(patterns.words() == (bits + 63) / 64);
  RC_ASSERT(pad_bits_are_zero(patterns));
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t b = 0; b < bits; ++b) {
      RC_ASSERT(patterns.get(i, b) == expected[static_cast<size_t>(i * bits + b)]);
    }
  }
}

RC_GTEST_PROP(BitPatternsProperty, BipolarRoundTripIsLossless, ()) {
  const auto bits = random_bits(*rc::gen::inRange<int64_t>(0, 5), *rc::gen::inRange<int64_t>(0, 150),
                                *rc::gen::arbitrary<uint64_t>());
  const RealPatterns bipolar = to_bipolar(bits);
  RC_ASSERT(bipolar.count() == bits.count());
  RC_ASSERT(bipolar.size() == bits.bits());
  const BitPatterns back = to_bits(bipolar, 0.0);
  RC_ASSERT(back == bits);
  RC_ASSERT(pad_bits_are_zero(back));
}

// For bipolar patterns of n bits at Hamming distance d, the cosine is 1 - 2 d / n.
RC_GTEST_PROP(BitPatternsProperty, HammingDistanceAndCosineAgree, ()) {
  const auto bits = *rc::gen::inRange<int64_t>(1, 200);
  const BitPatterns pair = random_bits(2, bits, *rc::gen::arbitrary<uint64_t>());
  const int64_t distance = hamming_distance(pair, 0, pair, 1);
  const RealPatterns bipolar = to_bipolar(pair);
  const double expected = 1.0 - 2.0 * static_cast<double>(distance) / static_cast<double>(bits);
  RC_ASSERT(std::abs(cosine(bipolar, 0, bipolar, 1) - expected) < 1e-12);
  RC_ASSERT(hamming_distance(pair, 1, pair, 0) == distance);
  RC_ASSERT(hamming_distance(pair, 0, pair, 0) == 0);
}

RC_GTEST_PROP(PatternSlices, JoinedAreTheOriginal, ()) {
  const BitPatterns whole = random_bits(*rc::gen::inRange<int64_t>(0, 9), 70, 3);
  const auto cut = *rc::gen::inRange<int64_t>(0, whole.count() + 1);
  const BitPatterns head = slice(whole, 0, cut), tail = slice(whole, cut, whole.count());
  RC_ASSERT(head.count() + tail.count() == whole.count());
  for (int64_t i = 0; i < whole.count(); ++i) {
    const auto row = i < cut ? head[i] : tail[i - cut];
    RC_ASSERT(std::equal(row.begin(), row.end(), whole[i].begin(), whole[i].end()));
  }
  const RealPatterns reals = to_bipolar(whole);
  RC_ASSERT(slice(reals, cut, whole.count()) == to_bipolar(tail));
}

TEST(PatternSlices, OutOfRangeAreRejectedWithBothNumbers) {
  const BitPatterns bits(5, 8);
  const RealPatterns reals(5, 8);
  expect_usage_error([&] { slice(bits, 2, 9); }, "2 to 9", "5");
  expect_usage_error([&] { slice(bits, -1, 3); }, "-1 to 3", "5");
  expect_usage_error([&] { slice(reals, 4, 3); }, "4 to 3", "5");
}

TEST(BitPatterns, ThatCannotBeAllocatedAreRejectedWithBothSizes) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  expect_usage_error([] { BitPatterns(-2, 1000); }, "-2 patterns", "1000 bits");
  expect_usage_error([] { BitPatterns(7, -1); }, "7 patterns", "-1 bits");
  expect_usage_error([] { BitPatterns(kMax, 1000); }, std::to_string(kMax), "1000 bits");
  expect_usage_error([] { BitPatterns(1000, kMax); }, "1000 patterns", std::to_string(kMax));
}

TEST(RealPatterns, ThatCannotBeAllocatedAreRejectedWithBothSizes) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  expect_usage_error([] { RealPatterns(-2, 10); }, "-2 patterns", "10 numbers");
  expect_usage_error([] { RealPatterns(3, -4); }, "3 patterns", "-4 numbers");
  expect_usage_error([] { RealPatterns(kMax, 2); }, std::to_string(kMax), "2 numbers");
}

TEST(Patterns, LargerThanTheMemoryOfTheMachineAreRejectedWithTheirGigabytes) {
  constexpr int64_t kCount = int64_t{1} << 50;
  expect_usage_error([] { BitPatterns(kCount, 64); }, "9.01e+06 GB", "64 bits");
  expect_usage_error([] { RealPatterns(int64_t{1} << 38, 1 << 10); }, "2.25e+06 GB", "1024 numbers");
  BitPatterns patterns(1, 64);
  expect_usage_error([&] { patterns.reserve(kCount); }, "9.01e+06 GB", std::to_string(kCount));
  EXPECT_EQ(patterns.count(), 1);
}

TEST(RealPatterns, NeedTheRightNumberOfValues) {
  expect_usage_error([] { RealPatterns(2, 3, std::vector<double>(5)); }, "need 6 values", "5 were given");
}

TEST(Patterns, MayBeEmptyInEitherDirection) {
  EXPECT_TRUE(BitPatterns(0, 100).empty());
  EXPECT_EQ(BitPatterns(4, 0).words(), 0);
  EXPECT_EQ(to_bipolar(BitPatterns(4, 0)).count(), 4);
  EXPECT_EQ(normalised(RealPatterns(4, 0)).count(), 4);
  EXPECT_EQ(slice(RealPatterns(0, 7), 0, 0).size(), 7);
}

TEST(ToBits, IsStrictlyGreaterThanTheThreshold) {
  const RealPatterns reals(1, 4, {0.49, 0.5, 0.51, -kInfinity});
  const BitPatterns bits = to_bits(reals, 0.5);
  EXPECT_FALSE(bits.get(0, 0));
  EXPECT_FALSE(bits.get(0, 1));
  EXPECT_TRUE(bits.get(0, 2));
  EXPECT_FALSE(bits.get(0, 3));
}

TEST(ToBits, RejectsNaN) {
  expect_usage_error(
      [] {
        to_bits(RealPatterns(2, 2, {1, 2, 3, std::nan("")}), 0.5);
      },
      "pattern 1 holds NaN", "index 1");
  expect_usage_error([] { to_bits(RealPatterns(1, 1), std::nan("")); }, "threshold", "NaN");
}

TEST(Cosine, RejectsNumbersThatAreNotFinite) {
  for (const double number : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const RealPatterns patterns(3, 2, {1, 2, 3, number, 0, 0});
    expect_usage_error([&] { cosine(patterns, 0, patterns, 1); }, "pattern 0 or 1", "not finite");
    expect_usage_error([&] { cosine(patterns, 1, patterns, 2); }, "pattern 1 or 2", "not finite");
  }
}

TEST(Normalised, HasTheRequestedLengthForNumbersOfAnyMagnitude) {
  const double smallest = std::numeric_limits<double>::denorm_min();
  for (const double unit : {1.0, 1e300, 1e-300, std::numeric_limits<double>::max() / 4, smallest}) {
    const RealPatterns result = normalised(RealPatterns(1, 2, {3 * unit, 4 * unit}), 10.0);
    EXPECT_NEAR(result[0][0], 6.0, 1e-12) << unit;
    EXPECT_NEAR(result[0][1], 8.0, 1e-12) << unit;
  }
}

TEST(Normalised, LeavesZerosUnchanged) {
  EXPECT_EQ(normalised(RealPatterns(1, 3)), RealPatterns(1, 3));
}

TEST(Normalised, ScalesMovedPatternsInPlace) {
  RealPatterns patterns(2, 2, {3, 4, 0, 2});
  const double* numbers = patterns.data();
  const RealPatterns result = normalised(std::move(patterns));
  EXPECT_EQ(result.data(), numbers);
  EXPECT_EQ(result, RealPatterns(2, 2, {0.6000000000000001, 0.8, 0, 1}));
}

TEST(Normalised, RejectsInfinityAndNaN) {
  for (const double bad : {kInfinity, -kInfinity, std::nan("")}) {
    expect_usage_error([&] { normalised(RealPatterns(2, 2, {1, 2, 3, bad})); }, "pattern 1", "index 1");
  }
}

TEST(Normalised, RejectsALengthThatIsNone) {
  for (const double bad : {-1.0, kInfinity, std::nan("")}) {
    expect_usage_error([&] { normalised(RealPatterns(1, 2, {3, 4}), bad); }, "length", "at least 0");
  }
}

TEST(HammingDistance, RejectsPatternsThatCannotBeCompared) {
  const BitPatterns one(2, 100), other(3, 70);
  expect_usage_error([&] { hamming_distance(one, 0, other, 0); }, "100 bits", "70 bits");
  expect_usage_error([&] { hamming_distance(one, 2, one, 0); }, "pattern 2", "there are 2");
  expect_usage_error([&] { hamming_distance(one, 0, one, -1); }, "pattern -1", "there are 2");
}

TEST(Cosine, RejectsPatternsThatCannotBeCompared) {
  const RealPatterns one(2, 10), other(3, 7);
  expect_usage_error([&] { cosine(one, 0, other, 0); }, "10 numbers", "7 numbers");
  expect_usage_error([&] { cosine(one, -1, one, 0); }, "pattern -1", "there are 2");
  expect_usage_error([&] { cosine(one, 0, one, 2); }, "pattern 2", "there are 2");
}

TEST(Select, RejectsIndicesOutOfRange) {
  const std::vector<int64_t> indices{0, 5}, negative{-1};
  expect_usage_error([&] { select(BitPatterns(5, 8), indices); }, "pattern 5", "there are 5");
  expect_usage_error([&] { select(RealPatterns(5, 8), negative); }, "pattern -1", "there are 5");
}

TEST(Cosine, DoesNotDependOnTheMagnitudeOfTheNumbers) {
  for (const double unit : {1.0, 1e300, 1e-300}) {
    const RealPatterns pair(2, 2, {unit, 0, unit, unit});
    EXPECT_NEAR(cosine(pair, 0, pair, 1), std::sqrt(0.5), 1e-15) << unit;
    EXPECT_DOUBLE_EQ(cosine(pair, 1, pair, 1), 1.0) << unit;
  }
}

TEST(Cosine, IsZeroForAPatternOfZeros) {
  const RealPatterns pair(2, 2, {0, 0, 1, 2});
  EXPECT_EQ(cosine(pair, 0, pair, 1), 0.0);
}

TEST(BitPatterns, BeginWithACacheLine) {
  for (const int64_t count : {1, 3, 1000, 100'000}) {
    BitPatterns patterns(count, 1024);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(patterns.data()) % 64, 0U) << count;
    patterns.append(BitPatterns(1, 1024));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(patterns.data()) % 64, 0U) << count;
  }
}

TEST(BitPatterns, AppendAndEraseKeepTheOrder) {
  BitPatterns patterns(3, 70), more(2, 70);
  for (int64_t i = 0; i < 3; ++i) {
    patterns.set(i, 65 + i, true);
  }
  more.set(1, 2, true);
  patterns.append(more);
  ASSERT_EQ(patterns.count(), 5);
  EXPECT_TRUE(patterns.get(4, 2));
  const std::vector<int64_t> erased{0, 2, 3};
  patterns.erase(erased);
  ASSERT_EQ(patterns.count(), 2);
  EXPECT_TRUE(patterns.get(0, 66));
  EXPECT_TRUE(patterns.get(1, 2));
  patterns.erase({});
  EXPECT_EQ(patterns.count(), 2);
}

TEST(BitPatterns, AppendAndEraseRefuseWhatDoesNotFit) {
  BitPatterns patterns(3, 70);
  EXPECT_THROW(patterns.append(BitPatterns(1, 71)), UsageError);
  EXPECT_THROW(patterns.erase(std::vector<int64_t>{1, 1}), UsageError);
  EXPECT_THROW(patterns.erase(std::vector<int64_t>{3}), UsageError);
  EXPECT_THROW(patterns.erase(std::vector<int64_t>{-1}), UsageError);
  EXPECT_EQ(patterns.count(), 3);
}

TEST(BitPatterns, AreEmptyAfterAMove) {
  BitPatterns moved = random_bits(3, 70, 1);
  const BitPatterns before = moved;
  BitPatterns taken = std::move(moved);
  EXPECT_EQ(taken, before);
  EXPECT_EQ(moved, BitPatterns(0, 70)); // NOLINT(bugprone-use-after-move): documented
  moved.append(before);
  EXPECT_EQ(moved, before);
  taken = std::move(moved);
  EXPECT_EQ(taken, before);
  EXPECT_EQ(moved, BitPatterns(0, 70)); // NOLINT(bugprone-use-after-move): documented
}

TEST(RealPatterns, AreEmptyAfterAMove) {
  RealPatterns moved(2, 3, {1, 2, 3, 4, 5, 6});
  const RealPatterns before = moved;
  RealPatterns taken = std::move(moved);
  EXPECT_EQ(taken, before);
  EXPECT_EQ(moved, RealPatterns(0, 3)); // NOLINT(bugprone-use-after-move): documented
  moved = std::move(taken);
  EXPECT_EQ(moved, before);
  EXPECT_EQ(taken, RealPatterns(0, 3)); // NOLINT(bugprone-use-after-move): documented
}

TEST(BitPatterns, AppendsACopyOfThemselves) {
  BitPatterns patterns = random_bits(100, 70, 1);
  const BitPatterns before = patterns;
  patterns.append(patterns);
  ASSERT_EQ(patterns.count(), 200);
  EXPECT_EQ(slice(patterns, 0, 100), before);
  EXPECT_EQ(slice(patterns, 100, 200), before);
}

} // namespace
} // namespace mneme
