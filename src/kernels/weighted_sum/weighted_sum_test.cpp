// SPDX-License-Identifier: MIT

#include "kernels/weighted_sum/weighted_sum.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

template <class T> std::vector<T> normals(uint64_t stream, int64_t count) {
  Random random = Random(29).stream(stream);
  std::vector<T> numbers(static_cast<size_t>(count));
  for (T& x : numbers) {
    x = static_cast<T>(random.normal());
  }
  return numbers;
}

template <class T> void expect_close_to_reference() {
  for (const int64_t value_size : {0, 1, 3, 4, 9, 67}) {
    for (const int64_t q : {0, 1, 7, 8, 17}) {
      for (const int64_t s : {0, 1, 5, 63, 64, 65, 200}) {
        const int64_t stride = s + q % 3; // A block of columns of a wider matrix.
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

} // namespace
} // namespace mneme::kernels
