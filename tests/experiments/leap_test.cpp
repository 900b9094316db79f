// SPDX-License-Identifier: MIT

#include <algorithm>

#include <gtest/gtest.h>

#include "experiments/leap/accuracy.h"
#include "experiments/leap/contenders.h"
#include "experiments/registry.h"

namespace mneme::experiments {
namespace {

TEST(LeapExperiments, ErrorsGrowWithLengthInTheOriginalButNotInOurs) {
  const LeapErrors errors = leap_errors({.tokens = 4096, .window = 4});
  ASSERT_EQ(errors.ours.size(), 4096U);
  ASSERT_EQ(errors.original.size(), 4096U);
  const auto max_error = [](const std::vector<double>& all, int64_t first, int64_t last) {
    return *std::max_element(all.begin() + first, all.begin() + last);
  };
  EXPECT_LT(max_error(errors.ours, 0, 4096), 2e-6);
  EXPECT_LT(max_error(errors.original, 0, 4), 2e-6); // no subtraction in the first window
  EXPECT_GT(max_error(errors.original, 2048, 4096), 10 * max_error(errors.original, 0, 64));
}

TEST(LeapExperiments, StabilityComparesAndDrawsEverySetting) {
  const std::vector<std::string> id = {"leap/stability"};
  Progress silent;
  const Outcome outcome = experiments_named(id).at(0)->run({.quick = true}, silent);
  ASSERT_EQ(outcome.comparisons.size(), 1U);
  EXPECT_EQ(outcome.comparisons[0].rows.size(), 4U * 3);
  EXPECT_EQ(tally(outcome).missed, 0);
  ASSERT_EQ(outcome.figures.size(), 1U);
  EXPECT_EQ(outcome.figures[0].chart.spec.at("concat").size(), 4U);
}

TEST(LeapExperiments, EveryContenderRuns) {
  for (const Contender which : {Contender::leap, Contender::original_leap, Contender::attention,
                                Contender::projection, Contender::leap_layer, Contender::leap_layer_dropout,
                                Contender::original_leap_dropout, Contender::attention_layer}) {
    for (const bool backward : {false, true}) {
      EXPECT_NO_THROW(contender(which, 9, 4, backward)());
    }
  }
  int calls = 0;
  EXPECT_GE(seconds_of([&] { ++calls; }), 0);
  EXPECT_GE(calls, 4);
  const StepTimes times = leap_step_times(4, 100, 3);
  EXPECT_LE(times.median, times.max);
}

} // namespace
} // namespace mneme::experiments
