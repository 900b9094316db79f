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
  EXPECT_EQ(bits.training.numbers, slice(all, 256, 1792).numbers);
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

TEST(BagTask, SplitsEachClassAtRandom) {
  data::LabelledBags bags{.instance_shape = {1}};
  for (int i = 0; i < 40; ++i) {
    bags.numbers.push_back(static_cast<float>(i));
    bags.offsets.push_back(i + 1);
    bags.targets.push_back(i < 4 ? 1 : 0); // few positive ones
  }
  const auto [training, validation] = split_bags(bags, 0.25, 7);
  EXPECT_EQ(training.count(), 30);
  EXPECT_EQ(validation.count(), 10);
  EXPECT_EQ(validation.num_positive(), 1);
  std::vector<float> all = concatenate(training, validation).numbers;
  EXPECT_TRUE(std::ranges::is_sorted(training.numbers));
  std::ranges::sort(all);
  EXPECT_EQ(all, bags.numbers);
  EXPECT_NE(split_bags(bags, 0.25, 8).second.numbers, validation.numbers);
  EXPECT_EQ(split_bags(slice(bags, 3, 6), 0.01, 1).second.count(), 1); // one of the two negative bags
  EXPECT_THROW(split_bags(bags, 1, 1), UsageError);
}

TEST(BagTask, OwnBagsOfOneSizeAreTrainedInBatches) {
  data::LabelledBags bags{
      .instance_shape = {1}, .numbers = {1, 2, 3, 4}, .offsets = {0, 2, 4}, .targets = {0, 1}};
  EXPECT_EQ(own_bag_task(bags, bags).schedule.batch_size, 32);
  bags.offsets = {0, 1, 4};
  EXPECT_EQ(own_bag_task(bags, bags).schedule.batch_size, 1);
}

TEST(BagModelChoice, IsReadFromItsText) {
  for (const char* text : {"pooling", "hopfield-adapted, sparsemax", "lookup, entmax 1.25"}) {
    EXPECT_EQ(BagModelChoice::from_text(text).text(), text);
  }
  EXPECT_THROW(BagModelChoice::from_text("pooling, maximum"), UsageError);
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
