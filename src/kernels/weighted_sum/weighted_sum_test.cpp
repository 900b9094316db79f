// SPDX-License-Identifier: MIT

#include "kernels/weighted_sum/weighted_sum.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "kernels/normals.h"

namespace mneme::kernels {
namespace {

template <class T> void expect_close_to_reference() {
  for (const int64_t value_size : {0, 1, 3, 4, 9, 67}) {
    for (const int64_t q : {0, 1, 7, 8, 17}) {
      for (const int64_t s : {0, 1, 5, 63, 64, 65, 200}) {
        const int64_t stride = s + q % 3; // columns of a wider matrix
        const auto weights = normals<T>(1, q * stride + 1), values = normals<T>(2, s * value_size + 1);
        std::vector<T> ours = normals<T>(3, q * value_size), plain = ours;
        weighted_sum({weights.data(), values.data(), ours.data(), q, s, value_size, stride});
        reference::weighted_sum({weights.data(), values.data(), plain.data(), q, s, value_size, stride});
        for (size_t i = 0; i < ours.size(); ++i) {
          ASSERT_NEAR(ours[i], plain[i], 4 * (1 + double(s)) * std::numeric_limits<T>::epsilon())
              << q << " queries, " << s << " stored, values of " << value_size;
        }
      }
    }
  }
}

TEST(WeightedSum, EqualsTheReferenceForEveryTailAndStride) {
  test::on_each_cpu_target([] {
    expect_close_to_reference<double>();
    expect_close_to_reference<float>();
  });
}

TEST(WeightedSum, OfWholeNumbersIsExact) {
  test::on_each_cpu_target([] {
    constexpr int64_t kStored = 1000;
    const std::vector<double> weights(kStored, 3.0), values(kStored, -2.0);
    double sum = 5.0;
    weighted_sum({weights.data(), values.data(), &sum, 1, kStored, 1, kStored});
    EXPECT_EQ(sum, 5.0 - 6.0 * kStored);
  });
}

/// Many queries, few and one take different paths; rows without weight are skipped on all of them.
TEST(WeightedSum, OfAQueryDoesNotDependOnTheOtherQueriesOrOnColumns) {
  test::on_each_cpu_target([] {
    constexpr int64_t kQueries = 61, kStored = 150, kSize = 83;
    auto weights = normals<float>(5, kQueries * kStored);
    for (int64_t q = 0; q < kQueries; ++q) {
      for (int64_t s = 0; s < kStored; ++s) {
        // One tile without weights, one with few, one with many.
        if (s < 64 || (s < 128 && s % 16 != 5)) {
          weights[static_cast<size_t>(q * kStored + s)] = 0;
        }
      }
    }
    const auto values = normals<float>(6, kStored * kSize), before = normals<float>(7, kQueries * kSize);
    std::vector<float> together = before;
    weighted_sum({weights.data(), values.data(), together.data(), kQueries, kStored, kSize, kStored});
    std::vector<float> plain = before;
    reference::weighted_sum({weights.data(), values.data(), plain.data(), kQueries, kStored, kSize, kStored});
    for (size_t i = 0; i < plain.size(); ++i) {
      ASSERT_NEAR(together[i], plain[i], 1e-4);
    }
    for (const int64_t some : {1, 3, 20}) {
      std::vector<float> apart = before;
      for (int64_t q = 0; q < kQueries; q += some) {
        for (int64_t column = 0; column < kSize; column += 37) { // blocks of columns of a wider matrix
          weighted_sum({weights.data() + q * kStored, values.data() + column,
                        apart.data() + q * kSize + column, std::min(some, kQueries - q), kStored,
                        std::min<int64_t>(37, kSize - column), kStored, kSize});
        }
      }
      EXPECT_EQ(apart, together) << some << " queries at once";
    }
  });
}

} // namespace
} // namespace mneme::kernels
