// SPDX-License-Identifier: MIT

#include "experiments/hopfield/bag_comparison.h"

#include <gtest/gtest.h>

#include "experiments/published.h"

namespace mneme::experiments {
namespace {

TEST(BagComparison, PutsPublishedNumbersBesideThoseOfEverySeed) {
  const training::BagTask task =
      training::latch_task({.num_samples = 64, .num_instances = 32, .num_characters = 20});
  Progress silent;
  const Outcome outcome = compare_bags(task,
                                       {.example = "latch_sequence",
                                        .source = "example",
                                        .models = {{"hopfield", "hopfield_base"}, {"lstm", "lstm_base"}},
                                        .seeds = 3,
                                        .epochs_max = 2,
                                        .why = "Few sequences."},
                                       {.seed = 5}, silent);
  ASSERT_EQ(outcome.comparisons.size(), 1U);
  const std::vector<Comparison>& rows = outcome.comparisons[0].rows;
  ASSERT_EQ(rows.size(), 8U);
  const auto& curves = published("hopfield_curves").at("latch_sequence").at("lstm_base");
  EXPECT_EQ(rows[4].what, "lstm: training loss after 2 epochs");
  EXPECT_EQ(rows[4].published, curves.at("loss_train").at(1));
  EXPECT_EQ(rows[7].published, curves.at("accuracy_eval").at(1));
  EXPECT_TRUE(rows[0].explanation.ends_with("Few sequences."));
  for (const Comparison& row : rows) {
    // Of three runs: t s sqrt(1 + 1/3) is twice t s / sqrt(3); 0.0005 for reading the curve.
    EXPECT_NEAR(row.tolerance, 2 * row.measured.half_width.value() + 5e-4, 1e-12) << row.what;
  }
  EXPECT_EQ(outcome.figures.size(), 2U);
  EXPECT_EQ(outcome.figures[0].chart.numbers.rows.size(),
            2U * (2 + 2 + 20 + 20)); // ours and published, two panels
}

TEST(BagComparison, KnowsACurveForEveryPublishedModel) {
  const auto& all = published("hopfield_curves");
  EXPECT_EQ(all.at("bit_pattern").size(), 6U);
  EXPECT_EQ(all.at("latch_sequence").size(), 7U);
  EXPECT_EQ(all.at("mnist_bags").size(), 3U);
  EXPECT_EQ(all.at("bit_pattern").at("hopfield_adapted").at("accuracy_eval").size(), 250U);
}

} // namespace
} // namespace mneme::experiments
