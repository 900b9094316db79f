// SPDX-License-Identifier: MIT

#include "kernels/radius_scan/radius_scan.h"

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

  Result run(decltype(&radius_scan) kernel, bool with_distances) const {
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
            .first_row = 1000});
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
          const Problem problem(num_queries, num_stored, words, num_stored);
          ASSERT_EQ(problem.run(radius_scan, true), problem.run(reference::radius_scan, true))
              << num_queries << " queries, " << num_stored << " rows of " << words << " words";
        }
      }
    }
  });
}

TEST(RadiusScan, CountsRowsBeyondTheCapacity) {
  test::on_each_cpu_target([] {
    for (const int64_t num_queries : {5, 20}) {
      for (const int64_t capacity : {0, 1, 9, 100}) {
        const Problem problem(num_queries, 600, 5, capacity);
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

} // namespace
} // namespace mneme::kernels
