// SPDX-License-Identifier: MIT

#include "kernels/dot/dot.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "kernels/normals.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

constexpr DotTerm kTerms[] = {DotTerm::product, DotTerm::squared_difference, DotTerm::absolute_difference};

template <class T> void expect_close_to_reference() {
  for (const int64_t size : {0, 1, 3, 4, 5, 64, 131}) {
    const auto queries = normals<T>(1, 19 * size + 1), stored = normals<T>(2, 70 * size + 1);
    for (const int64_t q : {0, 1, 7, 8, 9, 19}) {
      for (const int64_t s : {0, 1, 4, 6, 63, 64, 70}) {
        std::vector<T> ours(static_cast<size_t>(q * s)), plain(ours);
        const int64_t offset = (q + s) % 2;
        for (const DotTerm term : kTerms) {
          dot({queries.data() + offset * (size > 0), stored.data(), ours.data(), q, s, size, term});
          reference::dot(
              {queries.data() + offset * (size > 0), stored.data(), plain.data(), q, s, size, term});
          for (size_t i = 0; i < ours.size(); ++i) {
            // The terms are of order 1 to 10, and each of the `size` additions rounds once.
            ASSERT_NEAR(ours[i], plain[i], 16 * (1 + double(size)) * std::numeric_limits<T>::epsilon())
                << q << " queries, " << s << " stored, size " << size << ", term " << static_cast<int>(term);
          }
        }
      }
    }
  }
}

TEST(Dot, EqualsTheReferenceForEveryTailAndStart) {
  test::on_each_cpu_target([] {
    expect_close_to_reference<double>();
    expect_close_to_reference<float>();
  });
}

/// Scores of all queries are those of calls with fewer queries, which use other loops. A size of 1024 has
/// conflicts in the cache.
template <class T> void expect_independent_queries() {
  constexpr int64_t kQueries = 21, kStored = 67;
  for (const int64_t size : {77, 258, 1024}) {
    const auto queries = normals<T>(3, kQueries * size), stored = normals<T>(4, kStored * size);
    for (const DotTerm term : kTerms) {
      std::vector<T> together(kQueries * kStored);
      dot({queries.data(), stored.data(), together.data(), kQueries, kStored, size, term});
      for (const int64_t count : {1, 2, 3, 4}) {
        for (int64_t q = 0; q + count <= kQueries; q += count) {
          std::vector<T> apart(static_cast<size_t>(count * kStored));
          dot({queries.data() + q * size, stored.data(), apart.data(), count, kStored, size, term});
          EXPECT_TRUE(std::equal(apart.begin(), apart.end(), together.begin() + q * kStored))
              << "query " << q << " of " << count << ", size " << size << ", term " << int(term);
        }
      }
    }
  }
}

/// Products that are added one after the other, in tiles of 256, with or without a rounding of each product.
template <class T> T sum_in_order(const T* a, const T* b, int64_t size, bool fused) {
  T total = 0;
  for (int64_t begin = 0; begin < size; begin += 256) {
    T sum = 0;
    for (int64_t i = begin; i < std::min(size, begin + 256); ++i) {
      const volatile T product = a[i] * b[i]; // keeps the compiler from fusing it
      sum = fused ? std::fma(a[i], b[i], sum) : sum + product;
    }
    total += sum;
  }
  return total;
}

template <class T> void expect_sums_in_order() {
  constexpr int64_t kQueries = 5, kStored = 67;
  for (const int64_t size : {0, 1, 64, 256, 300, 600}) {
    const auto queries = normals<T>(5, kQueries * size + 1), stored = normals<T>(6, kStored * size + 1);
    std::vector<T> scores(kQueries * kStored);
    dot({.queries = queries.data(),
         .stored = stored.data(),
         .scores = scores.data(),
         .num_queries = kQueries,
         .num_stored = kStored,
         .size = size,
         .in_order = true});
    int64_t fused = 0, rounded = 0;
    for (int64_t q = 0; q < kQueries; ++q) {
      for (int64_t s = 0; s < kStored; ++s) {
        const T* a = queries.data() + q * size;
        const T* b = stored.data() + s * size;
        const T score = scores[static_cast<size_t>(q * kStored + s)];
        fused += score == sum_in_order(a, b, size, true);
        rounded += score == sum_in_order(a, b, size, false);
      }
    }
    EXPECT_EQ(std::max(fused, rounded), kQueries * kStored) << "size " << size;
  }
}

TEST(Dot, AddsProductsInOrderOnRequest) {
  test::on_each_cpu_target([] {
    if (!use_reference_kernels()) { // which accumulate in double
      expect_sums_in_order<double>();
      expect_sums_in_order<float>();
    }
  });
}

TEST(Dot, OfAPairDoesNotDependOnTheOtherQueries) {
  test::on_each_cpu_target([] {
    expect_independent_queries<double>();
    expect_independent_queries<float>();
  });
}

} // namespace
} // namespace mneme::kernels
