// SPDX-License-Identifier: MIT

#include "kernels/part_dropout/part_dropout.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

template <class T> using Kernel = void (*)(const PartDropoutArgs<T>&);

constexpr PairDropout kDropout{
    .share = 0.3, .seed = 0x123456789ABCDEF, .first_query = (int64_t{1} << 33) - 1}; // rows beyond 32 bits

/// Random rows after a kernel; a number before and one after them is kept as it was.
template <class T>
std::vector<T> dropped(Kernel<T> kernel, int64_t rows, int64_t heads, int64_t head_size,
                       const PairDropout& dropout = kDropout) {
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
        ASSERT_EQ(dropped<T>(part_dropout, rows, heads, head_size),
                  dropped<T>(reference::part_dropout, rows, heads, head_size))
            << rows << " rows, " << heads << " heads of " << head_size;
      }
    }
  }
}

TEST(PartDropout, EqualsTheReferenceForEveryTail) {
  test::on_each_cpu_target([] {
    expect_reference_for_every_tail<float>();
    expect_reference_for_every_tail<double>();
  });
}

TEST(PartDropout, DropsNothingOrAllWhereAsked) {
  test::on_each_cpu_target([] {
    for (const double share : {0.0, 1.0}) {
      const PairDropout dropout{.share = share, .seed = 3};
      EXPECT_EQ(dropped<float>(part_dropout, 2, 2, 5, dropout),
                dropped<float>(reference::part_dropout, 2, 2, 5, dropout));
    }
    EXPECT_EQ(dropped<float>(part_dropout, 2, 2, 5, {.share = 0}),
              dropped<float>([](const PartDropoutArgs<float>&) {}, 2, 2, 5));
  });
}

TEST(PartDropout, KeepsTheMeanOfAllButKeysWhichItLeavesAlone) {
  test::on_each_cpu_target([] {
    constexpr int64_t kRows = 4000, kHeads = 4, kHeadSize = 8, kPart = kHeads * kHeadSize;
    constexpr double kShare = 0.1;
    std::vector<double> rows(kRows * 4 * kPart, 1.0);
    part_dropout({rows.data(), kRows, kHeads, kHeadSize, {.share = kShare, .seed = 11}});
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
    // Six deviations of the means; a logit's factor is one for eight numbers, and that of a focus has both.
    const double variance = kShare / (1 - kShare), of_numbers = 6 / std::sqrt(double{kRows * kPart}),
                 of_heads = 6 / std::sqrt(double{kRows * kHeads});
    EXPECT_NEAR(sums[0] / (kRows * kPart), 1, of_numbers * std::sqrt(variance));
    EXPECT_NEAR(sums[3] / (kRows * kPart), 1, of_numbers * std::sqrt(variance));
    EXPECT_NEAR(sums[1] / (kRows * kPart), 1, of_heads * std::sqrt(variance + variance * (1 + variance) / 8));
    EXPECT_NEAR(double(heads_without_focus) / (kRows * kHeads), kShare,
                of_heads * std::sqrt(kShare * (1 - kShare)));
  });
}

TEST(PartDropout, KeepsNaN) {
  test::on_each_cpu_target([] {
    std::vector<float> rows(4 * 40, std::numeric_limits<float>::quiet_NaN());
    part_dropout({rows.data(), 1, 4, 10, {.share = 0.5, .seed = 2}});
    EXPECT_TRUE(std::ranges::all_of(rows, [](float x) { return std::isnan(x); }));
  });
}

} // namespace
} // namespace mneme::kernels
