// SPDX-License-Identifier: MIT

#include "kernels/radius_scan/radius_scan.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

constexpr int32_t kUntouched = -7;

std::vector<uint64_t> random_words(uint64_t stream, int64_t count) {
  Random random = Random(41).stream(stream);
  std::vector<uint64_t> words(static_cast<size_t>(count));
  for (uint64_t& word : words) {
    word = random.next();
  }
  return words;
}

struct Problem {
  std::vector<uint64_t> queries, stored;
  std::vector<int32_t> limits;
  int64_t words, capacity;
  int64_t sliced_from = 0;

  Problem(int64_t num_queries, int64_t num_stored, int64_t words_, int64_t capacity_)
      : queries(random_words(1, num_queries * words_)), stored(random_words(2, num_stored * words_)),
        words(words_), capacity(capacity_) {
    const auto bits = static_cast<int32_t>(64 * words);
    for (int64_t q = 0; q < num_queries; ++q) { // none, few, half, all but few, all
      const int32_t limits_of[] = {-1, bits * 2 / 5, bits / 2, bits * 3 / 5, bits, bits + 9, 0};
      limits.push_back(limits_of[q % 7]);
    }
    for (int64_t w = 0; w < words && num_queries > 0 && num_stored > 0; ++w) { // one distance of 0
      stored[static_cast<size_t>((num_stored - 1) * words + w)] =
          queries[static_cast<size_t>((num_queries - 1) * words + w)];
    }
  }

  struct Result {
    std::vector<int32_t> rows, distances, min_distances;
    std::vector<int64_t> counts;
    bool operator==(const Result&) const = default;
  };

  Result run(decltype(&radius_scan) kernel, bool with_distances,
             const RadiusQueries* prepared = nullptr) const {
    const size_t count = limits.size();
    const std::vector<int32_t> lists(count * static_cast<size_t>(capacity) + 1, kUntouched);
    Result result{lists, lists, std::vector<int32_t>(count, std::numeric_limits<int32_t>::max()),
                  std::vector<int64_t>(count, kUntouched)};
    if (count > 2) {
      result.min_distances[1] = 3; // smaller than most
    }
    kernel({.queries = queries.data(),
            .stored = stored.data(),
            .limits = limits.data(),
            .rows = result.rows.data(),
            .distances = with_distances ? result.distances.data() : nullptr,
            .counts = result.counts.data(),
            .min_distances = with_distances ? result.min_distances.data() : nullptr,
            .num_queries = std::ssize(limits),
            .num_stored = words > 0 ? std::ssize(stored) / words : 5,
            .words = words,
            .capacity = capacity,
            .first_row = 1000,
            .prepared = prepared,
            .sliced_from = sliced_from});
    EXPECT_EQ(result.rows.back(), kUntouched); // nothing behind the lists is written
    EXPECT_EQ(result.distances.back(), kUntouched);
    for (size_t q = 0; q < count; ++q) { // what is behind the selected rows is not defined
      for (int64_t i = result.counts[q]; i < capacity; ++i) {
        result.rows[q * static_cast<size_t>(capacity) + static_cast<size_t>(i)] = kUntouched;
        result.distances[q * static_cast<size_t>(capacity) + static_cast<size_t>(i)] = kUntouched;
      }
    }
    return result;
  }
};

TEST(RadiusScan, EqualsTheReferenceForEveryShape) {
  test::on_each_cpu_target([] {
    for (const int64_t words : {0, 1, 2, 3, 4, 7, 9, 16, 33}) {
      for (const int64_t num_queries : {0, 1, 3, 15, 16, 17, 40}) {
        for (const int64_t num_stored : {0, 1, 8, 63, 64, 65, 130, 511, 512, 700}) {
          Problem problem(num_queries, num_stored, words, num_stored);
          const Problem::Result expected = problem.run(reference::radius_scan, true);
          for (const int64_t sliced_from : {int64_t{0}, int64_t{1}, std::numeric_limits<int64_t>::max()}) {
            problem.sliced_from = sliced_from;
            ASSERT_EQ(problem.run(radius_scan, true), expected)
                << num_queries << " queries, " << num_stored << " rows of " << words << " words, sliced from "
                << sliced_from;
          }
        }
      }
    }
  });
}

TEST(RadiusScan, CountsRowsBeyondTheCapacity) {
  test::on_each_cpu_target([] {
    for (const int64_t num_queries : {5, 20}) {
      for (const int64_t capacity : {0, 1, 9, 100}) {
        Problem problem(num_queries, 600, 5, capacity);
        problem.sliced_from = capacity % 2; // 1: all queries
        ASSERT_EQ(problem.run(radius_scan, true), problem.run(reference::radius_scan, true)) << capacity;
        ASSERT_EQ(problem.run(radius_scan, false), problem.run(reference::radius_scan, false)) << capacity;
      }
    }
  });
}

TEST(RadiusScan, DoesNotDependOnTheOtherQueries) {
  test::on_each_cpu_target([] {
    const Problem many(300, 200, 5, 200); // several blocks of queries
    const Problem::Result result = many.run(radius_scan, true);
    EXPECT_EQ(result, many.run(reference::radius_scan, true));
  });
}

/// Copies of `patterns` patterns, a `fraction` of whose bits are 1; each copy has some flipped bits, or none.
std::vector<uint64_t> noisy_copies(int64_t count, int64_t patterns, int64_t words, double fraction) {
  Random random(43);
  std::vector<uint64_t> originals(static_cast<size_t>(patterns * words), 0);
  for (int64_t b = 0; b < 64 * patterns * words; ++b) {
    originals[static_cast<size_t>(b / 64)] |= uint64_t{random.uniform() < fraction} << (b % 64);
  }
  std::vector<uint64_t> copies;
  for (int64_t i = 0; i < count; ++i) {
    const auto from = originals.begin() + i % patterns * words;
    copies.insert(copies.end(), from, from + words);
    for (int64_t flips = i / patterns % 3 * 5; flips > 0; --flips) {
      const auto b = static_cast<int64_t>(random.below(static_cast<uint64_t>(64 * words)));
      copies[static_cast<size_t>(i * words + b / 64)] ^= uint64_t{1} << (b % 64);
    }
  }
  return copies;
}

TEST(RadiusScan, EqualsTheReferenceForRelatedSparseAndDenseQueries) {
  test::on_each_cpu_target([] {
    for (const double fraction : {0.0, 0.02, 0.5, 0.98, 1.0}) {
      for (const int64_t words : {2, 16}) {
        const int64_t count = 150;
        Problem problem(count, 600, words, 100);
        problem.queries = noisy_copies(count, 30, words, fraction);
        const std::vector<uint64_t> near = noisy_copies(500, 50, words, fraction);
        std::copy(near.begin(), near.end(), problem.stored.begin());
        problem.sliced_from = 1;
        const RadiusQueries prepared =
            prepare_radius_queries(problem.queries.data(), count, words, int64_t{1} << 20);
        ASSERT_EQ(problem.run(radius_scan, true, &prepared), problem.run(reference::radius_scan, true))
            << fraction << " of " << words << " words";
      }
    }
  });
}

TEST(RadiusScan, ComparesPartsOfPreparedQueries) {
  test::on_each_cpu_target([] {
    const int64_t count = 2 * RadiusQueries::kQueriesPerGroup + 20, rows = 300, words = 5;
    const Problem all(count, rows, words, rows);
    const RadiusQueries prepared =
        prepare_radius_queries(all.queries.data(), count, words, 64 * RadiusQueries::kQueriesPerGroup);
    const Problem::Result expected = all.run(reference::radius_scan, true);
    for (int64_t first = 0; first < count; first += RadiusQueries::kQueriesPerGroup) {
      const int64_t part = std::min(RadiusQueries::kQueriesPerGroup, count - first);
      std::vector<int32_t> lists(static_cast<size_t>(part * rows));
      std::vector<int64_t> counts(static_cast<size_t>(part));
      radius_scan({.queries = all.queries.data() + first * words,
                   .stored = all.stored.data(),
                   .limits = all.limits.data() + first,
                   .rows = lists.data(),
                   .distances = nullptr,
                   .counts = counts.data(),
                   .min_distances = nullptr,
                   .num_queries = part,
                   .num_stored = rows,
                   .words = words,
                   .capacity = rows,
                   .first_row = 1000,
                   .prepared = &prepared,
                   .first_prepared = first});
      for (int64_t q = 0; q < part; ++q) {
        const auto to = static_cast<size_t>(q), of_all = static_cast<size_t>(first + q);
        ASSERT_EQ(counts[to], expected.counts[of_all]);
        for (int64_t i = 0; i < counts[to]; ++i) {
          ASSERT_EQ(lists[static_cast<size_t>(q * rows + i)],
                    expected.rows[static_cast<size_t>((first + q) * rows + i)]);
        }
      }
    }
  });
}

TEST(RadiusScan, FindsTheNearestPredecessor) {
  const int64_t words = 4, count = 16;
  std::vector<uint64_t> queries = random_words(3, words);
  for (int64_t q = 1; q < count - 2; ++q) { // chain of queries that differ in one bit
    for (int64_t w = 0; w < words; ++w) {
      queries.push_back(queries[static_cast<size_t>((q - 1) * words + w)] ^ (uint64_t{w == 0} << q));
    }
  }
  queries.insert(queries.end(), {1, 0, 0, 0});
  queries.insert(queries.end(), {~uint64_t{0}, ~uint64_t{1}, ~uint64_t{0}, ~uint64_t{0}});
  const RadiusQueries prepared = prepare_radius_queries(queries.data(), count, words, int64_t{1} << 20);
  if (prepared.queries.empty()) {
    GTEST_SKIP() << "this CPU target does not use lists";
  }
  EXPECT_EQ(prepared.queries[14].predecessor, RadiusQueries::kNoOnes);
  EXPECT_EQ(prepared.queries[15].predecessor, RadiusQueries::kNoZeros);
  std::vector<uint8_t> is_ordered(static_cast<size_t>(count), 0);
  for (const int32_t q : prepared.order) {
    const RadiusQueries::Query& query = prepared.queries[static_cast<size_t>(q)];
    EXPECT_TRUE(query.predecessor < 0 || is_ordered[static_cast<size_t>(query.predecessor)] != 0) << q;
    EXPECT_LE(query.added_blocks + query.removed_blocks, q == prepared.order[2] ? 10 : 1) << q;
    is_ordered[static_cast<size_t>(q)] = 1;
  }
}

} // namespace
} // namespace mneme::kernels
