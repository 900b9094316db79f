// SPDX-License-Identifier: MIT

#include "mneme/trials/hopfield_capacity.h"

#include <cmath>

#include <gtest/gtest.h>

#include "mneme/core/parallel.h"
#include "trials/messages.h"

namespace mneme::trials {
namespace {

TEST(HopfieldCapacityTrial, CapacityGrowsWithTheDimension) {
  double before = 0;
  for (const int64_t size : {10, 12, 14}) {
    const HopfieldCapacityTrial trial = hopfield_capacity_trial({.size = size, .stored_max = 10'000});
    ASSERT_TRUE(trial.log_capacity) << size;
    EXPECT_GT(*trial.log_capacity, before + 0.5); // e^0.623 per dimension for large d, and faster below
    before = *trial.log_capacity;
    const auto last = static_cast<size_t>(trial.points.size() - 1);
    EXPECT_LT(trial.points[last].recalled, 0.9);
    EXPECT_GE(trial.points[last - 1].recalled, 0.9);
    EXPECT_LE(*trial.log_capacity, std::log(trial.points[last].stored));
    EXPECT_GE(*trial.log_capacity, std::log(trial.points[last - 1].stored));
  }
}

TEST(HopfieldCapacityTrial, HasNoCapacityIfRecallDoesNotCrossTheTarget) {
  const HopfieldCapacityTrial all = hopfield_capacity_trial({.size = 30, .stored_max = 64});
  EXPECT_FALSE(all.log_capacity);
  EXPECT_EQ(all.points.back().stored, 64); // 4, increased in steps of a factor sqrt(2)
  EXPECT_EQ(all.points.back().recalled, 1);
  const HopfieldCapacityTrial none = hopfield_capacity_trial({.size = 4, .beta = 1e-3});
  EXPECT_FALSE(none.log_capacity);
  EXPECT_EQ(none.points.size(), 1U);
  EXPECT_EQ(none.points[0].recalled, 0);
}

TEST(HopfieldCapacityTrial, DoesNotDependOnTheNumberOfThreads) {
  const int before = threads();
  set_threads(1);
  const HopfieldCapacityTrial one = hopfield_capacity_trial({.size = 12});
  set_threads(3);
  const HopfieldCapacityTrial three = hopfield_capacity_trial({.size = 12});
  set_threads(before);
  EXPECT_EQ(one.log_capacity, three.log_capacity);
}

TEST(HopfieldCapacityTrial, ReportsTheOptionThatIsOutOfRange) {
  const auto expect_rejected = [](const HopfieldCapacityTrialOptions& options,
                                  std::initializer_list<std::string> parts) {
    expect_usage_error([&] { hopfield_capacity_trial(options); }, parts);
  };
  expect_rejected({.size = 1}, {"size is 1", "at least 2"});
  expect_rejected({.radius_factor = 0}, {"radius_factor is 0", "above 0"});
  expect_rejected({.beta = -1}, {"beta is -1"});
  expect_rejected({.distance = std::nan("")}, {"distance is nan"});
  expect_rejected({.error = 0}, {"error is 0"});
  expect_rejected({.recall_target = 1}, {"recall_target is 1", "between 0 and 1"});
  expect_rejected({.cues = 0}, {"cues is 0"});
  expect_rejected({.stored_max = 3}, {"stored_max is 3", "at least 4"});
}

} // namespace
} // namespace mneme::trials
