// SPDX-License-Identifier: MIT

#include "mneme/core/random.h"

#include <set>

#include <gtest/gtest.h>

#include "mneme/core/error.h"

namespace mneme {
namespace {

// Known answers published with Random123 (kat_vectors, philox4x32 10).
TEST(Random, PhiloxEqualsThePublishedKnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, NextEqualsIndexing) {
  Random sequential = Random(7).stream(3);
  const Random indexed = Random(7).stream(3);
  for (uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(sequential.next(), indexed.at(i));
  }
}

TEST(Random, StreamsOfOneSeedDiffer) {
  std::set<uint64_t> first;
  for (uint64_t a = 0; a < 30; ++a) {
    for (uint64_t b = 0; b < 30; ++b) {
      first.insert(Random(1).stream(a).stream(b).next());
    }
  }
  EXPECT_EQ(first.size(), 900U);
}

TEST(Random, DistinctDrawsEveryNumberEquallyOften) {
  std::vector<int> hits(10);
  Random random(11);
  for (int trial = 0; trial < 10000; ++trial) {
    const std::vector<int64_t> drawn = random.distinct(3, 10);
    EXPECT_EQ(std::set<int64_t>(drawn.begin(), drawn.end()).size(), 3U);
    for (const int64_t i : drawn) {
      ++hits[static_cast<size_t>(i)];
    }
  }
  for (const int count : hits) {
    EXPECT_NEAR(count, 3000, 230); // five standard deviations of a binomial
  }
}

TEST(Random, RefusesMoreDistinctNumbersThanThereAre) {
  Random random(1);
  EXPECT_THROW(random.distinct(4, 3), UsageError);
  EXPECT_THROW(random.distinct(-1, 3), UsageError);
  EXPECT_THROW(random.below(0), UsageError);
  EXPECT_TRUE(random.distinct(0, 0).empty());
}

TEST(Random, NormalHasMeanZeroAndDeviationOne) {
  Random random(5);
  double sum = 0, squares = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.016);
  EXPECT_NEAR(squares / kDraws, 1, 0.023);
}

} // namespace
} // namespace mneme
