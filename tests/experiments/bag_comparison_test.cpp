// SPDX-License-Identifier: MIT

#include "experiments/hopfield/bag_comparison.h"

#include <gtest/gtest.h>

#include "experiments/published.h"

namespace mneme::experiments {
namespace {

TEST(BagComparison, ComparesPublishedValuesWithAllSeeds) {
  const training::BagTask task =
      training::latch_task({.num_samples = 64, .num_instances = 32, .num_characters = 20});
  Progress silent;
  const Outcome outcome = compare_bags(task,
                                       {.example = "latch_sequence",
                                        .source = "example",
                                        .models = {{"hopfield", "hopfield_base"}, {"lstm", "lstm_base"}},
                                        .seeds = 3,
                                        .epochs_max = 2,
                                        .not_compared = "few sequences"},
                                       {.seed = 5}, silent);
  ASSERT_EQ(outcome.comparisons.size(), 1U);
  const std::vector<Comparison>& rows = outcome.comparisons[0].rows;
  ASSERT_EQ(rows.size(), 8U);
  const auto& curves = published("hopfield_curves").at("latch_sequence").at("lstm_base");
  EXPECT_EQ(rows[4].what, "lstm: training loss after 2 epochs");
  EXPECT_EQ(rows[4].published, curves.at("loss_train").at(1));
  EXPECT_EQ(rows[7].published, curves.at("accuracy_eval").at(1));
  EXPECT_EQ(tally(outcome).not_compared, 8);
  EXPECT_EQ(outcome.restriction, "2 of 20 epochs, accuracies at the end are not compared");
  for (const Comparison& row : rows) {
    EXPECT_GT(row.tolerance, 5e-4) << row.what; // for reading the curve
    EXPECT_TRUE(row.measured.half_width) << row.what;
  }
  EXPECT_EQ(outcome.figures.size(), 2U);
  EXPECT_EQ(outcome.figures[0].chart.numbers.rows.size(),
            2U * (2 + 2 + 20 + 20)); // ours and published, two panels
}

TEST(BagComparison, HasACurveForEveryPublishedModel) {
  const auto& all = published("hopfield_curves");
  EXPECT_EQ(all.at("bit_pattern").size(), 6U);
  EXPECT_EQ(all.at("latch_sequence").size(), 7U);
  EXPECT_EQ(all.at("mnist_bags").size(), 3U);
  EXPECT_EQ(all.at("bit_pattern").at("hopfield_adapted").at("accuracy_eval").size(), 250U);
}

} // namespace
} // namespace mneme::experiments
