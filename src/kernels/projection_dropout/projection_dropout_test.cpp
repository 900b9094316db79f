// SPDX-License-Identifier: MIT

#include "kernels/projection_dropout/projection_dropout.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

template <class T> using Kernel = void (*)(const ProjectionDropoutArgs<T>&);

constexpr PhiloxDropout kDropout{.probability = 0.3,
                                 .seed = 0x123456789ABCDEF,
                                 .first_query = (int64_t{1} << 33) - 1}; // row positions beyond 32 bits

/// Random rows after the kernel. Checks that the elements before and after the rows are unchanged.
template <class T>
std::vector<T> dropped(Kernel<T> kernel, int64_t rows, int64_t heads, int64_t head_size,
                       const PhiloxDropout& dropout = kDropout) {
  Random random(5);
  std::vector<T> numbers(static_cast<size_t>(4 * rows * heads * head_size + 2));
  std::ranges::generate(numbers, [&] { return static_cast<T>(random.normal()); });
  const T first = numbers.front(), last = numbers.back();
  kernel({numbers.data() + 1, rows, heads, head_size, dropout});
  EXPECT_EQ(numbers.front(), first);
  EXPECT_EQ(numbers.back(), last);
  return numbers;
}

template <class T> void expect_reference_for_every_tail() {
  for (const int64_t rows : {0, 1, 3}) {
    for (const int64_t heads : {1, 2, 3, 8}) {
      for (const int64_t head_size : {1, 2, 3, 7, 8, 15, 16, 33, 64}) {
        ASSERT_EQ(dropped<T>(projection_dropout, rows, heads, head_size),
                  dropped<T>(reference::projection_dropout, rows, heads, head_size))
            << rows << " rows, " << heads << " heads of " << head_size;
      }
    }
  }
}

TEST(ProjectionDropout, EqualsTheReferenceForEveryTail) {
  test::on_each_cpu_target([] {
    expect_reference_for_every_tail<float>();
    expect_reference_for_every_tail<double>();
  });
}

TEST(ProjectionDropout, DropsNothingAtProbabilityZeroAndAllAtOne) {
  test::on_each_cpu_target([] {
    for (const double probability : {0.0, 1.0}) {
      const PhiloxDropout dropout{.probability = probability, .seed = 3};
      EXPECT_EQ(dropped<float>(projection_dropout, 2, 2, 5, dropout),
                dropped<float>(reference::projection_dropout, 2, 2, 5, dropout));
    }
    EXPECT_EQ(dropped<float>(projection_dropout, 2, 2, 5, {.probability = 0}),
              dropped<float>([](const ProjectionDropoutArgs<float>&) {}, 2, 2, 5));
  });
}

TEST(ProjectionDropout, KeepsTheMeanAndLeavesKeysUnchanged) {
  test::on_each_cpu_target([] {
    constexpr int64_t kRows = 4000, kHeads = 4, kHeadSize = 8, kPart = kHeads * kHeadSize;
    constexpr double kProbability = 0.1;
    std::vector<double> rows(kRows * 4 * kPart, 1.0);
    projection_dropout({rows.data(), kRows, kHeads, kHeadSize, {.probability = kProbability, .seed = 11}});
    double sums[4] = {};
    int64_t heads_without_focus = 0;
    for (int64_t r = 0; r < kRows; ++r) {
      const double* row = rows.data() + r * 4 * kPart;
      for (int64_t i = 0; i < 4 * kPart; ++i) {
        sums[i / kPart] += row[i];
      }
      for (int64_t h = 0; h < kHeads; ++h) {
        const double* focus = row + kPart + h * kHeadSize;
        heads_without_focus += std::all_of(focus, focus + kHeadSize, [](double x) { return x == 0; });
      }
    }
    EXPECT_EQ(sums[2], kRows * kPart);
    // Six standard deviations of the means. The factor of a focus logit multiplies eight elements of the
    // focus, which have factors of their own as well.
    const double variance = kProbability / (1 - kProbability),
                 of_elements = 6 / std::sqrt(double{kRows * kPart}),
                 of_heads = 6 / std::sqrt(double{kRows * kHeads});
    EXPECT_NEAR(sums[0] / (kRows * kPart), 1, of_elements * std::sqrt(variance));
    EXPECT_NEAR(sums[3] / (kRows * kPart), 1, of_elements * std::sqrt(variance));
    EXPECT_NEAR(sums[1] / (kRows * kPart), 1, of_heads * std::sqrt(variance + variance * (1 + variance) / 8));
    EXPECT_NEAR(double(heads_without_focus) / (kRows * kHeads), kProbability,
                of_heads * std::sqrt(kProbability * (1 - kProbability)));
  });
}

TEST(ProjectionDropout, KeepsNaN) {
  test::on_each_cpu_target([] {
    std::vector<float> rows(4 * 40, std::numeric_limits<float>::quiet_NaN());
    projection_dropout({rows.data(), 1, 4, 10, {.probability = 0.5, .seed = 2}});
    EXPECT_TRUE(std::ranges::all_of(rows, [](float x) { return std::isnan(x); }));
  });
}

} // namespace
} // namespace mneme::kernels
