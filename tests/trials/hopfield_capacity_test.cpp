// SPDX-License-Identifier: MIT

#include "mneme/trials/hopfield_capacity.h"

#include <cmath>

#include <gtest/gtest.h>

#include "mneme/core/parallel.h"
#include "trials/messages.h"

namespace mneme::trials {
namespace {

TEST(HopfieldCapacityTrial, CountsMorePatternsInHigherDimensions) {
  double before = 0;
  for (const int64_t size : {10, 12, 14}) {
    const HopfieldCapacityTrial trial = hopfield_capacity_trial({.size = size, .stored_max = 10'000});
    ASSERT_TRUE(trial.log_capacity) << size;
    EXPECT_GT(*trial.log_capacity, before + 0.5); // e^0.623 per dimension for large d, and faster below
    before = *trial.log_capacity;
    const auto last = static_cast<size_t>(trial.shares.size() - 1);
    EXPECT_LT(trial.shares[last].share, 0.9);
    EXPECT_GE(trial.shares[last - 1].share, 0.9);
    EXPECT_LE(*trial.log_capacity, std::log(trial.shares[last].stored));
    EXPECT_GE(*trial.log_capacity, std::log(trial.shares[last - 1].stored));
  }
}

TEST(HopfieldCapacityTrial, KnowsNoCapacityThatItDidNotReach) {
  const HopfieldCapacityTrial all = hopfield_capacity_trial({.size = 30, .stored_max = 64});
  EXPECT_FALSE(all.log_capacity);
  EXPECT_EQ(all.shares.back().stored, 64); // 4 doubled by half steps
  EXPECT_EQ(all.shares.back().share, 1);
  const HopfieldCapacityTrial none = hopfield_capacity_trial({.size = 4, .beta = 1e-3});
  EXPECT_FALSE(none.log_capacity);
  EXPECT_EQ(none.shares.size(), 1U);
  EXPECT_EQ(none.shares[0].share, 0);
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

TEST(HopfieldCapacityTrial, NamesTheOptionThatIsOutOfItsRange) {
  const auto refused = [](const HopfieldCapacityTrialOptions& options,
                          std::initializer_list<std::string> parts) {
    expect_usage_error([&] { hopfield_capacity_trial(options); }, parts);
  };
  refused({.size = 1}, {"size is 1", "at least 2"});
  refused({.radius_factor = 0}, {"radius_factor is 0", "above 0"});
  refused({.beta = -1}, {"beta is -1"});
  refused({.distance = std::nan("")}, {"distance is nan"});
  refused({.error = 0}, {"error is 0"});
  refused({.share = 1}, {"share is 1", "between 0 and 1"});
  refused({.cues = 0}, {"cues is 0"});
  refused({.stored_max = 3}, {"stored_max is 3", "at least 4"});
}

} // namespace
} // namespace mneme::trials
