// SPDX-License-Identifier: MIT

#include "mneme/training/language_task.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "mneme/core/error.h"

namespace mneme::training {
namespace {

double fraction(int64_t step, int64_t begin, int64_t end) {
  return static_cast<double>(step - begin) / static_cast<double>(end - begin);
}

TEST(LearningRate, IncreasesLinearlyInTheWarmUp) {
  for (const RateSchedule kind : {RateSchedule::cosine, RateSchedule::wsd, RateSchedule::constant}) {
    const LanguageSchedule schedule{
        .steps = 100, .learning_rate = 2, .rate_schedule = kind, .warmup_steps = 9};
    EXPECT_DOUBLE_EQ(learning_rate(schedule, 0), 0.2);
    EXPECT_DOUBLE_EQ(learning_rate(schedule, 8), 1.8);
    EXPECT_DOUBLE_EQ(learning_rate(schedule, 9), 2);
  }
}

TEST(LearningRate, FollowsHalfACosine) {
  const LanguageSchedule schedule{
      .steps = 110, .learning_rate = 1, .final_fraction = 0.1, .warmup_steps = 10};
  for (int64_t step = 10; step < 110; ++step) {
    const double expected = 0.1 + 0.45 * (1 + std::cos(M_PI * fraction(step, 10, 110)));
    EXPECT_NEAR(learning_rate(schedule, step), expected, 1e-12);
  }
  EXPECT_NEAR(learning_rate(schedule, 110), 0.1, 1e-12);
  EXPECT_NEAR(learning_rate(schedule, 1000), 0.1, 1e-12);
}

TEST(LearningRate, OfWsdIsConstantAndThenLinearInTheLastFifth) {
  const LanguageSchedule schedule{.steps = 100,
                                  .learning_rate = 1,
                                  .final_fraction = 0,
                                  .rate_schedule = RateSchedule::wsd,
                                  .warmup_steps = 0};
  EXPECT_EQ(learning_rate(schedule, 1), 1);
  EXPECT_EQ(learning_rate(schedule, 79), 1);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 89), 0.5);
  EXPECT_EQ(learning_rate(schedule, 99), 0);
  EXPECT_EQ(learning_rate(schedule, 1000), 0);
}

TEST(LearningRate, OfWsdDecaysInTheLastFifthOfAShortRun) {
  const LanguageSchedule schedule{.steps = 10,
                                  .learning_rate = 1,
                                  .final_fraction = 0.5,
                                  .rate_schedule = RateSchedule::wsd,
                                  .warmup_steps = 2};
  EXPECT_EQ(learning_rate(schedule, 7), 1);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 8), 0.75);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 9), 0.5);
}

TEST(RowPositions, DependOnSeedAndStepAlone) {
  LanguageSchedule schedule{.length = 8, .rows_per_step = 6, .seed = 3};
  const std::vector<int64_t> rows = row_positions(schedule, 5, 1000);
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(row_positions(schedule, 5, 1000), rows);
  EXPECT_NE(row_positions(schedule, 6, 1000), rows);
  schedule.rows_per_step = 3; // a smaller step has the first rows of a larger one
  EXPECT_EQ(row_positions(schedule, 5, 1000), std::vector(rows.begin(), rows.begin() + 3));
  schedule.one_batch = true;
  EXPECT_EQ(row_positions(schedule, 5, 1000), row_positions(schedule, 77, 1000));
  schedule.seed = 4;
  EXPECT_NE(row_positions(schedule, 0, 1000), std::vector(rows.begin(), rows.begin() + 3));
}

TEST(RowPositions, CoverEveryCompleteRowEvenly) {
  const LanguageSchedule schedule{.length = 4, .rows_per_step = 5000};
  std::vector<int64_t> counts(10);
  for (const int64_t position : row_positions(schedule, 0, 14)) {
    ASSERT_GE(position, 0);
    ASSERT_LT(position, 10); // the last target is token 13
    ++counts[static_cast<size_t>(position)];
  }
  for (const int64_t count : counts) { // expected 500, with a standard deviation of 21
    EXPECT_NEAR(static_cast<double>(count), 500, 110);
  }
}

TEST(RowPositions, RequireOneCompleteRow) {
  const LanguageSchedule schedule{.length = 8, .rows_per_step = 2};
  EXPECT_EQ(row_positions(schedule, 0, 9), (std::vector<int64_t>{0, 0}));
  try {
    row_positions(schedule, 0, 8);
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("has 8 tokens, but a row needs 9"), std::string::npos)
        << error.what();
  }
}

TEST(RowsPerBatch, AreAboutHalfAThousandTokensInAtLeastTwoMicroBatches) {
  EXPECT_EQ(rows_per_batch_for(8, 512), 1);
  EXPECT_EQ(rows_per_batch_for(8, 1024), 1);
  EXPECT_EQ(rows_per_batch_for(64, 64), 8);
  EXPECT_EQ(rows_per_batch_for(12, 64), 6);
  EXPECT_EQ(rows_per_batch_for(1, 64), 1);
}

TEST(LanguagePreset, NamesTheChoicesInErrors) {
  for (const auto& [preset, type, expected] :
       {std::tuple("huge", "leap", "tiny, small, medium"), {"tiny", "rnn", "leap, matrix-leap, gpt2"}}) {
    try {
      language_preset(preset, type);
      FAIL() << "no error";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
    }
  }
}

TEST(LanguagePreset, HasAWidthThatItsHeadsDivide) {
  for (const std::string& preset : language_presets()) {
    for (const std::string& type : language_model_types()) {
      const LanguageModelSize size = language_preset(preset, type);
      EXPECT_EQ(size.width % size.heads, 0) << preset << " " << type;
    }
  }
}

} // namespace
} // namespace mneme::training
