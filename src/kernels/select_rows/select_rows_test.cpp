// SPDX-License-Identifier: MIT

#include "kernels/select_rows/select_rows.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

constexpr int32_t kUntouched = -7;

std::vector<int32_t> random_distances(int64_t count) {
  Random random(31);
  std::vector<int32_t> distances(static_cast<size_t>(count));
  for (int32_t& distance : distances) {
    distance = static_cast<int32_t>(random.next() % 100);
  }
  return distances;
}

/// Selected rows and distances, with a guard behind both outputs.
std::vector<int32_t> selected(decltype(&select_rows) kernel, const std::vector<int32_t>& distances,
                              int32_t limit) {
  std::vector<int32_t> rows(distances.size() + 1, kUntouched), near = rows;
  const int64_t count = kernel({.distances = distances.data(),
                                .rows = rows.data(),
                                .row_distances = near.data(),
                                .num_rows = std::ssize(distances),
                                .limit = limit,
                                .first_row = 1000});
  EXPECT_EQ(rows.back(), kUntouched);
  EXPECT_EQ(near.back(), kUntouched);
  rows.resize(static_cast<size_t>(count));
  rows.insert(rows.end(), near.begin(), near.begin() + count);
  return rows;
}

TEST(SelectRows, EqualsTheReferenceForEveryTailAndLimit) {
  test::on_each_cpu_target([] {
    for (const int64_t count : {0, 1, 3, 15, 16, 17, 63, 64, 65, 127, 300}) {
      const std::vector<int32_t> distances = random_distances(count);
      for (const int32_t limit : {-1, 0, 1, 5, 50, 98, 99, 200}) {
        ASSERT_EQ(selected(select_rows, distances, limit), selected(reference::select_rows, distances, limit))
            << count << " rows within " << limit;
      }
      ASSERT_EQ(min_distance(distances.data(), count), reference::min_distance(distances.data(), count))
          << count;
    }
  });
}

TEST(SelectRows, NoRowsHaveNoMinimum) {
  test::on_each_cpu_target([] { EXPECT_EQ(min_distance(nullptr, 0), std::numeric_limits<int32_t>::max()); });
}

} // namespace
} // namespace mneme::kernels
