// SPDX-License-Identifier: MIT

#include "mneme/memory/nearest.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "memory/bit_scan.h"
#include "memory/samples.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

using test::expect_contains;
using test::usage_error;

using Found = std::vector<std::pair<int32_t, int64_t>>; // distance, index

Found all_sorted(const BitPatterns& queries, int64_t query, const BitPatterns& stored) {
  Found found;
  for (int64_t s = 0; s < stored.count(); ++s) {
    found.emplace_back(hamming_distance(queries, query, stored, s), s);
  }
  std::ranges::sort(found);
  return found;
}

Found found_by(const BitNeighbours& neighbours, int64_t query) {
  Found found;
  for (size_t i = 0; i < neighbours.indices_of(query).size(); ++i) {
    found.emplace_back(neighbours.distances_of(query)[i], neighbours.indices_of(query)[i]);
  }
  return found;
}

TEST(Nearest, EqualsSortingOfAllDistances) {
  for (const auto& [bits, count, num_queries] : {std::tuple<int64_t, int64_t, int64_t>{1, 7, 3},
                                                 {20, 5000, 9},
                                                 {64, 100, 1},
                                                 {300, 20'000, 3},
                                                 {300, 3000, 70}}) {
    const BitPatterns stored = test::random_bits(count, bits, 1),
                      queries = test::random_bits(num_queries, bits, 2);
    for (const int64_t k : {0, 1, 10, 100'000}) {
      const BitNeighbours neighbours = nearest(queries, stored, k);
      ASSERT_EQ(std::ssize(neighbours.offsets), num_queries + 1);
      for (int64_t q = 0; q < num_queries; ++q) {
        Found expected = all_sorted(queries, q, stored);
        expected.resize(static_cast<size_t>(std::min(k, count)));
        ASSERT_EQ(found_by(neighbours, q), expected) << bits << " bits, " << count << " stored, k " << k;
      }
    }
    for (const int64_t radius : {int64_t{0}, bits * 45 / 100, bits, bits + 5}) {
      const BitNeighbours neighbours = within(queries, stored, radius);
      for (int64_t q = 0; q < num_queries; ++q) {
        Found expected = all_sorted(queries, q, stored);
        std::erase_if(expected, [&](const auto& found) { return found.first > radius; });
        ASSERT_EQ(found_by(neighbours, q), expected)
            << bits << " bits, " << count << " stored, radius " << radius;
      }
    }
  }
}

TEST(Nearest, KeepsFewRowsWhileItScans) {
  const BitPatterns stored = test::random_bits(100'000, 64, 5), queries = test::random_bits(6, 64, 6);
  for (const NearRows& near : scan_nearest(queries, 0, 6, stored, 5)) {
    EXPECT_GE(near.count(), 5);
    EXPECT_LT(near.count(), 500);
  }
}

TEST(Nearest, OrdersEqualDistancesByIndex) {
  const BitPatterns stored(5000, 100), query(1, 100);
  const BitNeighbours neighbours = nearest(query, stored, 3);
  EXPECT_EQ(neighbours.indices, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(neighbours.distances, (std::vector<int32_t>{0, 0, 0}));
}

TEST(Nearest, ReturnsAllTiesOnRequest) {
  for (const int64_t bits : {8, 20}) { // many equal distances
    const BitPatterns stored = test::random_bits(5000, bits, 8), queries = test::random_bits(20, bits, 9);
    for (const int64_t k : {0, 1, 7, 300, 5000, 6000}) {
      const BitNeighbours neighbours = nearest(queries, stored, k, Ties::all);
      for (int64_t q = 0; q < queries.count(); ++q) {
        Found expected = all_sorted(queries, q, stored);
        if (k < std::ssize(expected)) {
          const int32_t last = k == 0 ? -1 : expected[static_cast<size_t>(k) - 1].first;
          std::erase_if(expected, [&](const auto& found) { return found.first > last; });
        }
        ASSERT_EQ(found_by(neighbours, q), expected) << bits << " bits, k " << k;
      }
    }
  }
}

using FoundReals = std::vector<std::pair<double, int64_t>>; // minus the score, index

TEST(Nearest, EqualsSortingOfAllScoresForEverySimilarity) {
  RealPatterns stored = test::random_sphere(1100, 9, 1);
  std::ranges::copy(stored[3], stored[1050].begin()); // equal scores in different tiles
  std::ranges::copy(stored[3], stored[4].begin());
  const RealPatterns queries = test::random_sphere(70, 9, 2);
  for (const Similarity& kind : {Similarity(Hamming{}), Similarity(Dot{}), Similarity(Cosine{}),
                                 Similarity(Euclidean{}), Similarity(Manhattan{})}) {
    const Scores scores = similarity(queries, stored, kind);
    const auto expect_found = [&](const RealNeighbours& neighbours, auto is_found) {
      for (int64_t q = 0; q < queries.count(); ++q) {
        FoundReals sorted, found;
        for (int64_t s = 0; s < stored.count(); ++s) {
          sorted.emplace_back(-scores.values[q][static_cast<size_t>(s)], s);
        }
        std::ranges::sort(sorted);
        const FoundReals all = sorted;
        std::erase_if(sorted, [&](const auto& pair) { return !is_found(all, pair); });
        for (size_t i = 0; i < neighbours.indices_of(q).size(); ++i) {
          found.emplace_back(-neighbours.scores_of(q)[i], neighbours.indices_of(q)[i]);
        }
        ASSERT_EQ(found, sorted) << "similarity " << kind.index();
      }
    };
    for (const size_t k : {size_t{1}, size_t{10}, size_t{1100}}) {
      expect_found(nearest(queries, stored, static_cast<int64_t>(k), kind),
                   [&](const FoundReals& all, const auto& pair) { return pair <= all[k - 1]; });
      expect_found(nearest(queries, stored, static_cast<int64_t>(k), kind, Ties::all),
                   [&](const FoundReals& all, const auto& pair) { return pair.first <= all[k - 1].first; });
    }
    const RealPatterns some = slice(queries, 0, 3); // of which patterns are normalised tile by tile
    const RealNeighbours of_some = nearest(some, stored, 10, kind),
                         of_all = nearest(queries, stored, 10, kind);
    EXPECT_TRUE(std::ranges::equal(of_some.scores, std::span(of_all.scores).first(30)));
    EXPECT_TRUE(std::ranges::equal(of_some.indices, std::span(of_all.indices).first(30)));
    const double score_min = scores.values[0][17];
    expect_found(at_least(queries, stored, score_min, kind),
                 [&](const FoundReals&, const auto& pair) { return -pair.first >= score_min; });
  }
  EXPECT_EQ(nearest(queries, RealPatterns(0, 9), 3).offsets, std::vector<int64_t>(71, 0));
  EXPECT_EQ(nearest(queries, stored, 0).offsets, std::vector<int64_t>(71, 0));
}

TEST(Nearest, IsIndependentOfTheNumberOfThreads) {
  const BitPatterns stored = test::random_bits(50'000, 64, 3), queries = test::random_bits(5, 64, 4);
  const int before = threads();
  set_threads(1);
  const BitNeighbours one_thread = nearest(queries, stored, 17);
  set_threads(4);
  const BitNeighbours four_threads = nearest(queries, stored, 17);
  set_threads(before);
  EXPECT_EQ(one_thread.indices, four_threads.indices);
  EXPECT_EQ(one_thread.distances, four_threads.distances);
}

TEST(Nearest, SupportsEmptyInputs) {
  EXPECT_EQ(nearest(BitPatterns(2, 10), BitPatterns(0, 10), 3).offsets, (std::vector<int64_t>{0, 0, 0}));
  EXPECT_EQ(nearest(BitPatterns(0, 10), BitPatterns(4, 10), 3).offsets, (std::vector<int64_t>{0}));
  EXPECT_EQ(within(BitPatterns(1, 0), BitPatterns(2, 0), 0).indices, (std::vector<int64_t>{0, 1}));
}

TEST(Nearest, HasNoNeighboursOfAQueryThatDoesNotExist) {
  const BitNeighbours bits = nearest(BitPatterns(5, 10), BitPatterns(3, 10), 1);
  expect_contains(usage_error([&] { bits.indices_of(7); }), {"query 7", "5 queries"});
  expect_contains(usage_error([&] { bits.distances_of(-1); }), {"query -1", "5 queries"});
  const RealNeighbours reals = nearest(RealPatterns(2, 3), RealPatterns(3, 3), 1);
  expect_contains(usage_error([&] { reals.indices_of(2); }), {"query 2", "2 queries"});
  expect_contains(usage_error([&] { reals.scores_of(-1); }), {"query -1", "2 queries"});
}

TEST(Nearest, ReportsInvalidArguments) {
  expect_contains(usage_error([] { nearest(BitPatterns(1, 10), BitPatterns(1, 11), 1); }), {"10", "11"});
  expect_contains(usage_error([] { nearest(BitPatterns(1, 10), BitPatterns(1, 10), -1); }),
                  {"neighbours", "-1"});
  expect_contains(usage_error([] { within(BitPatterns(1, 10), BitPatterns(1, 10), -2); }), {"radius", "-2"});
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  expect_contains(usage_error([] { nearest(RealPatterns(1, 2), RealPatterns(1, 3), 1); }), {"2", "3"});
  expect_contains(usage_error([&] { nearest(RealPatterns(1, 1, {nan}), RealPatterns(1, 1), 1); }), {"query"});
  expect_contains(usage_error([&] { at_least(RealPatterns(1, 1), RealPatterns(1, 1), nan); }), {"minimum"});
  RealPatterns stored = test::random_sphere(1100, 9, 1);
  stored[1050][2] = nan;
  for (const Similarity& kind : {Similarity(Hamming{}), Similarity(Dot{}), Similarity(Euclidean{})}) {
    expect_contains(usage_error([&] { nearest(RealPatterns(1, 9), stored, 1, kind); }),
                    {"stored pattern 1050", "nan", "component 2"});
    expect_contains(usage_error([&] { nearest(RealPatterns(0, 9), stored, 1, kind); }),
                    {"stored pattern 1050"});
  }
  stored[1050][2] = 1e200;
  expect_contains(usage_error([&] { nearest(slice(stored, 1050, 1051), stored, 1, Dot{}); }),
                  {"query 0 and stored pattern 1050", "overflows double"});
}

TEST(Nearest, RefusesNeighboursWhoseScoresUnderflow) {
  const RealPatterns tiny(3, 2, {1e-200, 0, 2e-200, 0, 0, 1e-200}), query = slice(tiny, 0, 1);
  expect_contains(usage_error([&] { nearest(query, tiny, 2, Euclidean{}); }),
                  {"query 0 and stored pattern 1", "underflows double", "Manhattan"});
  expect_contains(usage_error([&] { at_least(query, tiny, 0, Euclidean{}); }), {"stored pattern 1"});
  expect_contains(usage_error([&] { nearest(query, tiny, 3, Dot{}); }), {"underflows double"});
  EXPECT_EQ(nearest(query, tiny, 1, Euclidean{}).indices, std::vector<int64_t>{0}) << "the same numbers";
  EXPECT_EQ(nearest(query, slice(tiny, 2, 3), 1, Dot{}).scores, std::vector<double>{0})
      << "no term underflows";
  EXPECT_EQ(nearest(query, tiny, 3, Manhattan{}).indices, (std::vector<int64_t>{0, 1, 2}));
  const RealPatterns large(2, 2, {1e-200, 1, 1e-200, 2});
  EXPECT_EQ(nearest(slice(large, 0, 1), large, 2, Dot{}).scores, (std::vector<double>{2, 1}));
}

TEST(Nearest, TakesTheLargestNumberForAll) {
  constexpr int64_t kAll = std::numeric_limits<int64_t>::max();
  const BitPatterns bits = test::random_bits(3000, 64, 1), bit_query = test::random_bits(1, 64, 2);
  const RealPatterns reals = test::random_sphere(3000, 9, 1), real_query = test::random_sphere(1, 9, 2);
  for (const Ties ties : {Ties::first, Ties::all}) {
    EXPECT_EQ(nearest(bit_query, bits, kAll, ties).indices, nearest(bit_query, bits, 3000, ties).indices);
    const RealNeighbours all = nearest(real_query, reals, kAll, Cosine{}, ties);
    EXPECT_EQ(all.indices, nearest(real_query, reals, 3000, Cosine{}, ties).indices);
    EXPECT_EQ(all.indices.size(), 3000U);
  }
}

} // namespace
} // namespace mneme
