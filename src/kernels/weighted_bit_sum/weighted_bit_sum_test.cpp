// SPDX-License-Identifier: MIT

#include "kernels/weighted_bit_sum/weighted_bit_sum.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

struct Problem {
  std::vector<uint64_t> values;
  std::vector<int32_t> rows, distances;
  std::vector<double> weights, sums;
  int64_t words;

  Problem(int64_t num_rows, int64_t words_, int64_t num_distances) : words(words_) {
    Random random = Random(37).stream(static_cast<uint64_t>(num_rows * 1000 + words));
    values.resize(static_cast<size_t>((num_rows + 3) * words));
    for (uint64_t& word : values) {
      word = random.next();
    }
    for (int64_t i = 0; i < num_rows; ++i) {
      rows.push_back(
          static_cast<int32_t>(random.next() % static_cast<uint64_t>(num_rows + 3))); // also repeated
      distances.push_back(static_cast<int32_t>(random.next() % static_cast<uint64_t>(num_distances)));
    }
    for (int64_t d = 0; d < num_distances; ++d) {
      weights.push_back(d % 4 == 3 ? 0 : random.normal()); // also negative and 0
    }
    sums.resize(static_cast<size_t>(64 * words + 1), 0.25);
  }

  std::vector<double> run(decltype(&weighted_bit_sum) kernel) const {
    std::vector<double> result = sums;
    kernel({.values = values.data(),
            .rows = rows.data(),
            .distances = distances.data(),
            .weights = weights.data(),
            .sums = result.data(),
            .num_rows = std::ssize(rows),
            .words = words,
            .num_distances = std::ssize(weights)});
    EXPECT_EQ(result.back(), 0.25); // nothing behind the sums is written
    return result;
  }
};

TEST(WeightedBitSum, EqualsTheReferenceForEveryTailAndCount) {
  test::on_each_cpu_target([] {
    for (const int64_t words : {0, 1, 2, 3, 7, 8, 9, 16, 17}) {
      for (const int64_t num_rows : {0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 100, 700}) {
        for (const int64_t num_distances : {1, 5}) {
          const Problem problem(num_rows, words, num_distances);
          const auto ours = problem.run(weighted_bit_sum), plain = problem.run(reference::weighted_bit_sum);
          for (size_t b = 0; b < ours.size(); ++b) {
            ASSERT_NEAR(ours[b], plain[b], 1e-12 * (1 + static_cast<double>(num_rows)))
                << num_rows << " rows of " << words << " words at " << num_distances << " distances, bit "
                << b;
          }
        }
      }
    }
  });
}

TEST(WeightedBitSum, CountsExactly) {
  test::on_each_cpu_target([] {
    constexpr int64_t kRows = 70'000; // 17 bit planes
    const std::vector<uint64_t> values = {~uint64_t{0}, 0x5555555555555555};
    std::vector<int32_t> rows(kRows), distances(kRows, 0);
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i] = i < 30'000 ? 0 : 1;
    }
    const double weight = 3;
    std::vector<double> sums(64, 0.0);
    weighted_bit_sum({.values = values.data(),
                      .rows = rows.data(),
                      .distances = distances.data(),
                      .weights = &weight,
                      .sums = sums.data(),
                      .num_rows = kRows,
                      .words = 1,
                      .num_distances = 1});
    for (size_t b = 0; b < sums.size(); ++b) {
      EXPECT_EQ(sums[b], b % 2 == 0 ? 3.0 * kRows : 3.0 * (30'000 - 40'000)) << b;
    }
  });
}

TEST(WeightedBitSum, DoesNotDependOnTheOrderOfRows) {
  test::on_each_cpu_target([] {
    Problem problem(500, 5, 40);
    const auto sums = problem.run(weighted_bit_sum);
    std::reverse(problem.rows.begin(), problem.rows.end());
    std::reverse(problem.distances.begin(), problem.distances.end());
    EXPECT_EQ(problem.run(weighted_bit_sum), sums);
  });
}

/// The sums of a problem by counts of tiles, which two threads would share.
std::vector<double> sums_by_counts(const Problem& problem, int64_t rows_per_tile) {
  const int64_t num_distances = std::ssize(problem.weights), num_rows = std::ssize(problem.rows);
  BitCounts counts[] = {{problem.words, num_distances, num_rows}, {problem.words, num_distances, num_rows}};
  for (int64_t first = 0, tile = 0; first < num_rows; first += rows_per_tile, ++tile) {
    count_bits({.counts = &counts[tile % 2],
                .values = problem.values.data(),
                .rows = problem.rows.data() + first,
                .distances = problem.distances.data() + first,
                .num_rows = std::min(rows_per_tile, num_rows - first),
                .first_row = 0});
  }
  for (BitCounts& of_thread : counts) {
    count_pending_bits(of_thread, problem.values.data());
  }
  merge_counts(counts[0], counts[1]);
  std::vector<double> sums = problem.sums;
  add_weighted_counts(counts[0], problem.weights.data(), sums.data());
  EXPECT_EQ(sums.back(), 0.25); // nothing behind the sums is written
  return sums;
}

TEST(BitCounts, EqualTheWeightedSumForEveryTile) {
  test::on_each_cpu_target([] {
    for (const int64_t words : {0, 1, 2, 7, 8, 9, 17}) {
      for (const int64_t num_rows : {0, 1, 2, 31, 32, 33, 64, 700}) {
        for (const int64_t num_distances : {1, 5}) {
          const Problem problem(num_rows, words, num_distances);
          const auto plain = problem.run(reference::weighted_bit_sum);
          const auto tiles = sums_by_counts(problem, 50);
          for (size_t b = 0; b < plain.size(); ++b) {
            ASSERT_NEAR(tiles[b], plain[b], 1e-12 * (1 + static_cast<double>(num_rows)))
                << num_rows << " rows of " << words << " words, bit " << b;
          }
          ASSERT_EQ(sums_by_counts(problem, 7), tiles); // counts are exact, however rows are divided
        }
      }
    }
  });
}

TEST(BitCounts, CountConsecutiveRowsWithoutAList) {
  test::on_each_cpu_target([] {
    constexpr int64_t kRows = 500, kWords = 9;
    Problem problem(kRows, kWords, 3);
    BitCounts with_list(kWords, 3, kRows), without(kWords, 3, kRows);
    for (int32_t first = 0; first < kRows; first += 100) {
      for (int32_t i = 0; i < 100; ++i) {
        problem.rows[static_cast<size_t>(i)] = first + i;
      }
      CountBitsArgs args{.counts = &with_list,
                         .values = problem.values.data(),
                         .rows = problem.rows.data(),
                         .distances = problem.distances.data() + first,
                         .num_rows = 100,
                         .first_row = 0};
      count_bits(args);
      args.counts = &without;
      args.rows = nullptr;
      args.first_row = first;
      count_bits(args);
    }
    count_pending_bits(with_list, problem.values.data());
    count_pending_bits(without, problem.values.data());
    EXPECT_EQ(without.num_rows, with_list.num_rows);
    EXPECT_EQ(without.planes, with_list.planes);
    std::vector<double> sums(64 * kWords, 0.0);
    add_weighted_counts(without, problem.weights.data(), sums.data());
    for (size_t b = 0; b < sums.size(); ++b) {
      double expected = 0;
      for (int64_t row = 0; row < kRows; ++row) {
        const double weight =
            problem.weights[static_cast<size_t>(problem.distances[static_cast<size_t>(row)])];
        const uint64_t word = problem.values[static_cast<size_t>(row * kWords) + b / 64];
        expected += ((word >> (b % 64)) & 1U) != 0 ? weight : -weight;
      }
      ASSERT_NEAR(sums[b], expected, 1e-9) << b;
    }
  });
}

TEST(BitCounts, AreExactBeyondSixteenBits) {
  test::on_each_cpu_target([] {
    constexpr int64_t kRows = 70'000;
    const std::vector<uint64_t> values = {~uint64_t{0}, 0x5555555555555555};
    std::vector<int32_t> rows(kRows), distances(kRows, 0);
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i] = i < 30'000 ? 0 : 1;
    }
    BitCounts counts(1, 1, kRows);
    count_bits({.counts = &counts,
                .values = values.data(),
                .rows = rows.data(),
                .distances = distances.data(),
                .num_rows = kRows,
                .first_row = 0});
    count_pending_bits(counts, values.data());
    EXPECT_EQ(counts.num_rows[0], kRows);
    const double weight = 3;
    std::vector<double> sums(64, 0.0);
    add_weighted_counts(counts, &weight, sums.data());
    for (size_t b = 0; b < sums.size(); ++b) {
      EXPECT_EQ(sums[b], b % 2 == 0 ? 3.0 * kRows : 3.0 * (30'000 - 40'000)) << b;
    }
  });
}

} // namespace
} // namespace mneme::kernels
