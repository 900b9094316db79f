// SPDX-License-Identifier: MIT

#include "trials/close_patterns.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "mneme/core/random.h"
#include "mneme/memory/similarity.h"

namespace mneme::trials {
namespace {

RealPatterns random_patterns(int64_t count, int64_t size, uint64_t seed) {
  RealPatterns patterns(count, size);
  Random random(seed);
  std::generate(patterns.data(), patterns.data() + count * size, [&] { return random.normal(); });
  return patterns;
}

struct Visited {
  std::set<std::pair<int64_t, int64_t>> pairs; // within one group
  size_t largest = 0;
};

Visited visited(const RealPatterns& patterns, double cosine_min) {
  Visited result;
  visit_close(patterns, cosine_min, [&](std::span<const int64_t> group) {
    EXPECT_TRUE(std::ranges::is_sorted(group));
    result.largest = std::max(result.largest, group.size());
    for (size_t j = 0; j < group.size(); ++j) {
      for (size_t i = 0; i < j; ++i) {
        result.pairs.insert({group[i], group[j]});
      }
    }
  });
  return result;
}

class ClosePatterns : public testing::TestWithParam<std::pair<int64_t, double>> {};

TEST_P(ClosePatterns, AreTogetherInAGroup) {
  const auto [size, cosine_min] = GetParam();
  RealPatterns patterns = random_patterns(1500, size, 1);
  Random random(2);
  for (int64_t i = 0; i < 400; i += 2) { // a neighbour of another length, on either side of the cosine
    const double deviation = (i % 4 == 0 ? 0.5 : 1.5) * std::sqrt(2 * (1 - cosine_min));
    for (int64_t j = 0; j < size; ++j) {
      patterns[i + 1][static_cast<size_t>(j)] =
          3 * (patterns[i][static_cast<size_t>(j)] + deviation * random.normal());
    }
  }
  std::ranges::fill(patterns[900], 0.0);
  const Visited found = visited(patterns, cosine_min);
  const RealPatterns cosines = similarity(patterns, patterns, Cosine{}).values;
  int64_t close = 0;
  for (int64_t j = 0; j < patterns.count(); ++j) {
    for (int64_t i = 0; i < j; ++i) {
      if (cosines[j][static_cast<size_t>(i)] >= cosine_min) {
        ++close;
        ASSERT_TRUE(found.pairs.contains({i, j})) << i << " and " << j;
      }
    }
  }
  EXPECT_GT(close, 50);
  EXPECT_LT(found.largest, 600U); // of 1500: divided
}

INSTANTIATE_TEST_SUITE_P(All, ClosePatterns,
                         testing::Values(std::pair<int64_t, double>(2, 0.9999999), std::pair(8, 0.999),
                                         std::pair(64, 0.999), std::pair(64, 0.9999)));

TEST(VisitClose, PatternsInOneDirectionAreOneGroup) {
  RealPatterns patterns(700, 16);
  for (int64_t i = 0; i < patterns.count(); ++i) {
    std::ranges::fill(patterns[i], 1 + static_cast<double>(i));
  }
  EXPECT_EQ(visited(patterns, 0.999).largest, 700U);
  EXPECT_EQ(visited(RealPatterns(5, 16), 0.999).largest, 0U); // zeros
}

TEST(FirstOfIdentical, FindsEqualNumbers) {
  RealPatterns patterns = random_patterns(50, 3, 4);
  std::ranges::copy(std::as_const(patterns)[7], patterns[9].begin());
  std::ranges::copy(std::as_const(patterns)[7], patterns[30].begin());
  patterns[20][0] += 1e-15;
  const std::vector<int64_t> first = first_of_identical(patterns);
  for (int64_t i = 0; i < patterns.count(); ++i) {
    EXPECT_EQ(first[static_cast<size_t>(i)], i == 9 || i == 30 ? 7 : i);
  }
}

} // namespace
} // namespace mneme::trials
