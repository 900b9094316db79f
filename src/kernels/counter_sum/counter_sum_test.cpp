// SPDX-License-Identifier: MIT

#include "kernels/counter_sum/counter_sum.h"

#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

/// Sums of the first rows of a matrix in which every counter has at most this magnitude.
std::vector<int32_t> sums(decltype(&counter_sum) kernel, int64_t num_rows, int64_t size, int64_t magnitude) {
  Random random = Random(59).stream(static_cast<uint64_t>(magnitude));
  std::vector<int16_t> counters;
  for (int64_t i = 0; i < 40 * size; ++i) {
    const auto counter =
        magnitude - static_cast<int64_t>(random.below(2 * static_cast<uint64_t>(magnitude) + 1));
    // The last columns have the extreme values in every row, of both signs.
    const int64_t from_end = size - 1 - i % size;
    counters.push_back(static_cast<int16_t>(from_end == 0   ? -magnitude
                                            : from_end == 1 ? magnitude - (magnitude > 32767)
                                                            : std::min<int64_t>(counter, 32767)));
  }
  std::vector<int32_t> rows, result(static_cast<size_t>(size + 1), 5);
  for (int64_t i = 0; i < num_rows; ++i) {
    rows.push_back(static_cast<int32_t>(random.below(40)));
  }
  kernel({.counters = counters.data(),
          .rows = rows.data(),
          .sums = result.data(),
          .num_rows = num_rows,
          .size = size,
          .magnitude = magnitude});
  EXPECT_EQ(result.back(), 5); // nothing behind the sums is written
  return result;
}

TEST(CounterSum, EqualsTheReferenceForEveryMagnitudeAndTail) {
  test::on_each_cpu_target([] {
    for (const int64_t size : {1, 2, 31, 64, 65, 1000, 2100}) {
      for (const int64_t num_rows : {0, 1, 2, 40, 3000}) {
        if (num_rows * size > 300'000) {
          continue; // the reference would take seconds
        }
        for (const int64_t magnitude : {0, 1, 20, 20000, 32767, 32768}) {
          ASSERT_EQ(sums(counter_sum, num_rows, size, magnitude),
                    sums(reference::counter_sum, num_rows, size, magnitude))
              << num_rows << " rows of " << size << " counters up to " << magnitude;
        }
      }
    }
  });
}

} // namespace
} // namespace mneme::kernels
