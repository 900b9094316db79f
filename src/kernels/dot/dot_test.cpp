// SPDX-License-Identifier: MIT

#include "kernels/dot/dot.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "kernels/normals.h"

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

TEST(Dot, OfAPairDoesNotDependOnTheOtherQueries) {
  test::on_each_cpu_target([] {
    expect_independent_queries<double>();
    expect_independent_queries<float>();
  });
}

} // namespace
} // namespace mneme::kernels
