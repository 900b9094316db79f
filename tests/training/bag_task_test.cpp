// SPDX-License-Identifier: MIT

#include "mneme/training/bag_task.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::training {
namespace {

TEST(BagTask, SplitsThePublishedTasks) {
  const BagTask bits = bit_pattern_task();
  EXPECT_EQ(bits.training.count(), 1536);
  EXPECT_EQ(bits.training.num_positive(), 768);
  EXPECT_EQ(bits.validation.count(), 512);
  EXPECT_EQ(bits.validation.num_positive(), 256);
  const data::LabelledBags all = to_labelled_bags(data::draw_bit_bags());
  EXPECT_EQ(bits.training.bytes, slice(all, 256, 1792).bytes);
  const BagTask latch = latch_task();
  EXPECT_EQ(latch.training.count(), 3072);
  EXPECT_EQ(latch.validation.count(), 1024);
  EXPECT_EQ(latch.schedule_of("hopfield").epochs, 20);
  EXPECT_EQ(latch.schedule_of("lookup-adapted").epochs, 18);
}

TEST(BagTask, DescribesTheSetOfASingleClass) {
  BagTask task = bit_pattern_task({.num_bags = 64});
  EXPECT_EQ(single_class_set(task), "");
  std::ranges::fill(task.validation.targets, uint8_t{1});
  EXPECT_EQ(single_class_set(task), "all 16 validation bags are positive");
  std::ranges::fill(task.training.targets, uint8_t{0});
  EXPECT_EQ(single_class_set(task), "all 48 training bags are negative");
}

TEST(ClassificationMetrics, MatchDefinitions) {
  const auto metrics = classification_metrics({2, -1, 0.5, -3, 0}, {1, 1, 0, 0, 0});
  EXPECT_DOUBLE_EQ(metrics.accuracy, 3 / 5.0);
  EXPECT_DOUBLE_EQ(metrics.sensitivity, 1 / 2.0);
  EXPECT_DOUBLE_EQ(metrics.specificity, 2 / 3.0);            // a logit of 0 predicts the negative class
  EXPECT_DOUBLE_EQ(metrics.area_under_curve, (3 + 1) / 6.0); // 2 is above all three, -1 above -3
  EXPECT_DOUBLE_EQ(classification_metrics({1, 1}, {1, 0}).area_under_curve, 0.5); // a tie
  EXPECT_TRUE(std::isnan(classification_metrics({1, 1}, {1, 1}).specificity));
}

TEST(ClassificationMetrics, RejectsInvalidArguments) {
  const auto error = [](const std::vector<double>& logits,
                        const std::vector<uint8_t>& targets) -> std::string {
    try {
      classification_metrics(logits, targets);
    } catch (const UsageError& refused) {
      return refused.what();
    }
    return "";
  };
  mneme::testing::expect_contains(error({1}, {1, 0}), {"1 logits for 2 labels"});
  mneme::testing::expect_contains(error({}, {}), {"0 logits"});
  mneme::testing::expect_contains(error({1, std::nan("")}, {1, 0}), {"logit 1 is nan"});
}

} // namespace
} // namespace mneme::training
