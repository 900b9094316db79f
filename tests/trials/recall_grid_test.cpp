// SPDX-License-Identifier: MIT

#include "mneme/trials/recall_grid.h"

#include <cmath>

#include <gtest/gtest.h>

#include "mneme/core/parallel.h"
#include "mneme/data/random_patterns.h"
#include "trials/messages.h"

namespace mneme::trials {
namespace {

const RecallGrid kGrid{.algorithms = {"Binary_SDM", "Cont_SDM_NeuronLimit"},
                       .radii = {9, 19},
                       .distances = {0, 8},
                       .hard_locations = 1e12,
                       .data_sets = 3,
                       .cues = 5,
                       .update_steps_max = 10};

PublishedPatterns draw(int64_t, const Random& random) {
  return published_patterns(data::random_uniform(40, 64, -1, 1, random), 0);
}

TEST(RecallGrid, IsOrderedByAlgorithmRadiusAndDistance) {
  Progress silent;
  const std::vector<GridPoint> points = recall_over_grid(kGrid, draw, silent);
  ASSERT_EQ(points.size(), 8U);
  EXPECT_EQ(points[0].algorithm, "Binary_SDM");
  EXPECT_EQ(points[1].distance, 8);
  EXPECT_EQ(points[2].radius, 19);
  EXPECT_EQ(points[4].algorithm, "Cont_SDM_NeuronLimit");
  EXPECT_EQ(points[0].samples, 15);
  EXPECT_EQ(points[0].mean.mean, 1); // few patterns, recalled from themselves
}

TEST(RecallGrid, DoesNotDependOnThreads) {
  Progress silent;
  const int before = threads();
  set_threads(1);
  const std::vector<GridPoint> one = recall_over_grid(kGrid, draw, silent);
  set_threads(4);
  const std::vector<GridPoint> four = recall_over_grid(kGrid, draw, silent);
  set_threads(before);
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].mean.mean, four[i].mean.mean);
    EXPECT_EQ(one[i].deviation, four[i].deviation);
    EXPECT_EQ(one[i].steps, four[i].steps);
  }
}

TEST(RecallGrid, ToleranceGrowsWithTheUncertainty) {
  const GridPoint sure{.deviation = 0, .samples = 100, .data_sets = 4};
  EXPECT_EQ(allowed_difference(sure, sure, 0.001), 0.001);
  GridPoint scattered = sure;
  scattered.deviation = 0.2;
  EXPECT_NEAR(allowed_difference(scattered, scattered, 0), kMaxStandardErrors * 0.2 * std::sqrt(2.0 / 100),
              1e-12);
  GridPoint uneven = sure;
  uneven.between_data_sets = 0.1;
  EXPECT_NEAR(allowed_difference(uneven, sure, 0), kMaxDataSetErrors * 0.1 * std::sqrt(2.0 / 4), 1e-12);
}

TEST(RecallGrid, RejectsEmptyGrids) {
  Progress silent;
  RecallGrid grid = kGrid;
  grid.data_sets = 0;
  expect_usage_error([&] { recall_over_grid(grid, draw, silent); }, {"0 data sets", "5 cues"});
}

} // namespace
} // namespace mneme::trials
