// SPDX-License-Identifier: MIT

#include "experiments/single_run.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"
#include "mneme/core/random.h"

namespace mneme::experiments {
namespace {

using mneme::testing::contains;

const std::vector<double> kLosses{0.013, 0.015, 0.014, 0.019, 0.012, 0.022, 0.016, 0.013};

ComparisonTable table_of(std::vector<SingleRun> runs) {
  return compare_single_runs({.title = "Runs",
                              .source = "cell 1",
                              .resolution = 5e-4,
                              .resolution_source = "rounding",
                              .runs = std::move(runs)});
}

TEST(SingleRuns, AreMetWithinThePredictionIntervalOnEitherSide) {
  const trials::Interval interval =
      trials::prediction_interval(kLosses, {.resolution = 5e-4, .logarithmic = true});
  const double step = 1e-9;
  for (const auto& [published, met] :
       {std::pair(interval.high - step, true), std::pair(interval.high + step, false),
        std::pair(interval.low + step, true), std::pair(interval.low - step, false)}) {
    const ComparisonTable table = table_of({{.what = "loss", .published = published, .ours = kLosses}});
    EXPECT_EQ(table.rows.front().is_met(), met) << published;
  }
}

TEST(SingleRuns, MissAnAccuracyFarFromAllSeeds) {
  const std::vector<double> accuracies{0.98, 0.99, 0.97, 1.0, 0.985, 0.975, 0.99, 0.98};
  const ComparisonTable table = table_of(
      {{.what = "one more error", .published = 0.995, .ours = std::vector<double>(8, 1.0), .cases = 200},
       {.what = "met", .published = 0.96, .ours = accuracies, .cases = 500},
       {.what = "missed", .published = 0.85, .ours = accuracies, .cases = 500}});
  EXPECT_TRUE(table.rows[0].is_met());
  EXPECT_TRUE(table.rows[1].is_met());
  EXPECT_FALSE(table.rows[2].is_met());
  EXPECT_TRUE(contains(table.rows[2].explanation, "and 1; our 8 seeds are between 0.97 and 1."));
}

TEST(SingleRuns, DescribeTheTolerance) {
  const SingleRun run{.what = "loss", .published = 0.02, .ours = kLosses};
  const std::string text = table_of({run, run, run, run}).tolerance;
  EXPECT_TRUE(contains(text, "n = 8 seeds"));
  EXPECT_TRUE(contains(text, "plus 0.0005 for rounding"));
  EXPECT_TRUE(contains(text, "a confidence of 98.75 %"));
  EXPECT_TRUE(contains(text, "none of the 4 numbers"));
}

TEST(SingleRuns, CannotTellWhereNoValueWouldBeMissed) {
  const ComparisonTable table = compare_single_runs(
      {.runs = {
           {.what = "wide", .published = 0.1, .ours = {0.2, 0.9}, .cases = 50},
           {.what = "narrow", .published = 0.1, .ours = {0.89, 0.9, 0.91, 0.9, 0.9, 0.9}, .cases = 5000}}});
  EXPECT_STREQ(verdict(table, table.rows[0]), "cannot tell");
  EXPECT_STREQ(verdict(table, table.rows[1]), "missed");
  EXPECT_EQ(tally(table).not_compared, 1);
  EXPECT_EQ(tally(table).met, 0);
}

TEST(SingleRuns, CannotTellWhereTheIntervalDoesNotSeparateAlternatives) {
  const std::vector<double> ours{0.5, 0.6, 0.55, 0.62, 0.52};
  const ComparisonTable table = compare_single_runs(
      {.runs = {{.what = "wide", .published = 0.56, .ours = ours, .cases = 500, .alternatives = {0.5, 0.6}},
                {.what = "apart", .published = 0.56, .ours = ours, .cases = 500, .alternatives = {0.5, 0.9}},
                {.what = "none", .published = 0.56, .ours = ours, .cases = 500}}});
  EXPECT_STREQ(verdict(table, table.rows[0]), "cannot tell");
  EXPECT_STREQ(verdict(table, table.rows[1]), "met");
  EXPECT_STREQ(verdict(table, table.rows[2]), "met");
}

TEST(SingleRuns, FromTheSameDistributionAreRarelyMissed) {
  Random random(5);
  constexpr int kTables = 2000, kNumbers = 16, kSeeds = 5;
  int tables_with_misses = 0;
  for (int t = 0; t < kTables; ++t) {
    std::vector<SingleRun> runs(kNumbers);
    for (SingleRun& run : runs) {
      run.ours.resize(kSeeds);
      const auto draw = [&] { return std::exp(random.normal()); };
      std::ranges::generate(run.ours, draw);
      run.published = draw();
    }
    const ComparisonTable table = compare_single_runs({.runs = runs});
    tables_with_misses += tally(table).missed > 0 ? 1 : 0;
  }
  // For independent values 1 - (1 - 0.05 / 16)^16 = 4.9 % of the tables are missed; tolerance: 4 standard
  // errors.
  EXPECT_NEAR(tables_with_misses / static_cast<double>(kTables), 0.049,
              4 * std::sqrt(0.049 * 0.951 / kTables));
}

TEST(SingleRuns, NeedTwoSeeds) {
  EXPECT_THROW(table_of({{.what = "loss", .published = 1, .ours = {1}}}), UsageError);
}

} // namespace
} // namespace mneme::experiments
