// SPDX-License-Identifier: MIT

/// Computations of the attention experiments: statistics over seeds, bit tables, the gain plot.

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "experiments/attention/bit_table.h"
#include "learning/sparse_and.h"
#include "experiments/registry.h"

namespace mneme::experiments {
namespace {

using mneme::testing::contains;
using training::BinaryModel;
using training::SparseAndTrial;

TEST(Quantile, InterpolatesLinearly) {
  EXPECT_EQ(learning::quantile({3, 1, 2}, 0), 1);
  EXPECT_EQ(learning::quantile({3, 1, 2}, 0.5), 2);
  EXPECT_EQ(learning::quantile({3, 1, 2}, 1), 3);
  EXPECT_DOUBLE_EQ(learning::quantile({10, 20}, 0.25), 12.5);
  EXPECT_EQ(learning::quantile({7}, 0.95), 7);
}

/// Trials with these final training losses, accuracy 1 - loss, and twice the loss in validation.
std::vector<SparseAndTrial> trials_of(const std::vector<double>& losses) {
  std::vector<SparseAndTrial> trials;
  for (const double loss : losses) {
    SparseAndTrial trial;
    trial.fit.curve = {{.epoch = 1, .loss = 10 * loss, .accuracy = 0.5},
                       {.epoch = 100, .loss = loss, .accuracy = 1 - loss}};
    trial.validation_score = {.loss = 2 * loss, .accuracy = 1 - 2 * loss};
    trials.push_back(trial);
  }
  return trials;
}

learning::LearningGroup group_of(const std::vector<double>& losses) {
  return {.name = "self-attention",
          .options = {.model = training::self_attention_model(17)},
          .trials = trials_of(losses)};
}

TEST(LearningTable, HasMeansOverSeedsWithIntervals) {
  const report::Table table = learning::learning_table({group_of({0.01, 0.03})});
  ASSERT_EQ(table.rows.size(), 1U);
  const std::vector<report::Cell>& row = table.rows.front();
  EXPECT_EQ(std::get<std::string>(row[0]), "self-attention");
  EXPECT_EQ(std::get<int64_t>(row[1]), 65);
  EXPECT_EQ(std::get<int64_t>(row[2]), 200);
  EXPECT_DOUBLE_EQ(std::get<report::Estimate>(row[3]).value, 0.98);
  const report::Estimate loss = std::get<report::Estimate>(row[4]);
  EXPECT_DOUBLE_EQ(loss.value, 0.02);
  EXPECT_LT(loss.low, 0.01); // the interval of two seeds is wide
  EXPECT_GT(loss.high, 0.03);
  EXPECT_DOUBLE_EQ(std::get<report::Estimate>(row[5]).value, 0.96);
  EXPECT_DOUBLE_EQ(std::get<report::Estimate>(row[6]).value, 0.04);
}

TEST(LearningCurves, ShowTheMedianOfTheSeeds) {
  const std::string spec = learning::learning_curves("Curves", {group_of({0.01, 0.04, 0.03})}).spec.dump();
  EXPECT_TRUE(contains(spec, "0.03"));   // training loss at the end
  EXPECT_TRUE(contains(spec, "0.06"));   // validation loss, a point
  EXPECT_TRUE(contains(spec, "0.97"));   // training accuracy
  EXPECT_FALSE(contains(spec, "0.04,")); // not the curve of a single seed
}

TEST(PublishedSchedule, MatchesTheTutorial) {
  EXPECT_EQ(learning::published_schedule(BinaryModel::Kind::self_attention).epochs, 2000);
  EXPECT_EQ(learning::published_schedule(BinaryModel::Kind::self_attention).learning_rate, 1e-2);
  EXPECT_EQ(learning::published_schedule(BinaryModel::Kind::mlp).epochs, 500);
  EXPECT_EQ(learning::published_schedule(BinaryModel::Kind::mlp).learning_rate, 1e-3);
}

TEST(BitTable, ShowsEveryBitAndFramesTheRelevantOnes) {
  const data::SparseAnd function{.context_length = 5, .relevant = {1}, .relevant_under_rule = {2}};
  BitPatterns inputs(2, 5);
  inputs.set(0, 1, true);
  inputs.set(1, 4, true);
  const report::Chart chart = bit_table("Samples", function, {.inputs = inputs, .labels = {1, 0}});
  ASSERT_EQ(chart.numbers.rows.size(), 2U);
  EXPECT_EQ(std::get<std::string>(chart.numbers.rows[0][1]), "01000");
  EXPECT_EQ(std::get<std::string>(chart.numbers.rows[0][2]), "true");
  EXPECT_EQ(std::get<std::string>(chart.numbers.rows[1][1]), "00001");
  EXPECT_EQ(std::get<std::string>(chart.numbers.rows[1][2]), "false");
  const std::string spec = chart.spec.dump();
  EXPECT_TRUE(contains(spec, "relevant under rule 0"));
  EXPECT_TRUE(contains(spec, "relevant under rule 1"));
}

TEST(GainPlot, TableIsTheSoftmaxOfItsFormula) {
  const Experiment& experiment = *experiments_named(std::vector<std::string>{"attention/gain-plot"}).front();
  Progress silent;
  const Outcome outcome = experiment.run({.seed = 5}, silent);
  ASSERT_EQ(outcome.tables.size(), 2U);
  // The patterns and the input, in the data of the chart.
  const auto& positions = outcome.figures.front().chart.numbers.rows;
  ASSERT_EQ(positions.size(), 20U);
  for (const auto& row : outcome.tables[0].table.rows) {
    double sum = 0, output = 0, max = 0;
    for (const auto& position : positions) {
      const double weight = std::exp(std::get<double>(row[0]) * std::get<double>(position[1]) +
                                     std::get<double>(row[1]) * std::get<double>(position[2]));
      sum += weight;
      output += weight * std::get<double>(position[3]);
      max = std::max(max, weight);
    }
    EXPECT_NEAR(std::get<double>(row[2]), output / sum, 1e-12);
    EXPECT_NEAR(std::get<double>(row[3]), max / sum, 1e-12);
  }
}

TEST(AttentionExperiments, RunWithQuickParameters) {
  for (const char* id : {"attention/dataset-samples", "attention/comparison", "attention/attention-weights",
                         "attention/rule-graph"}) {
    const Experiment& experiment = *experiments_named(std::vector<std::string>{id}).front();
    Progress silent;
    const Outcome outcome = experiment.run({.quick = true, .seed = 3}, silent);
    EXPECT_TRUE(outcome.skipped.empty()) << id;
    EXPECT_FALSE(outcome.figures.empty()) << id;
    EXPECT_FALSE(outcome.parameters.empty()) << id;
    for (const Figure& figure : outcome.figures) {
      EXPECT_FALSE(figure.caption.empty()) << id << " " << figure.name;
      EXPECT_FALSE(figure.chart.numbers.rows.empty()) << id << " " << figure.name;
    }
  }
}

TEST(AttentionExperiments, StatesWhetherTheModelsDiffer) {
  Progress silent;
  const Experiment& experiment = *experiments_named(std::vector<std::string>{"attention/comparison"}).front();
  const Outcome outcome = experiment.run({.quick = true, .seed = 1}, silent);
  const report::Table& table = outcome.tables.front().table; // two models, each on sparse and dense functions
  ASSERT_EQ(table.rows.size(), 4U);
  const std::string caption = outcome.figures.front().caption;
  for (const size_t row : {0, 1}) {
    const auto attention = std::get<report::Estimate>(table.rows[row][5]),
               mlp = std::get<report::Estimate>(table.rows[row + 2][5]);
    const std::string conclusion = attention.low <= mlp.high && mlp.low <= attention.high
                                       ? "the intervals overlap, so these seeds show no difference"
                                   : attention.value > mlp.value ? "self-attention generalises better"
                                                                 : "the MLP generalises better";
    const size_t sentence = caption.find(row == 0 ? "With s = 2" : "With s = 4");
    ASSERT_NE(sentence, std::string::npos) << caption;
    EXPECT_TRUE(contains(
        caption.substr(sentence, caption.find(".", caption.find("(MLP)", sentence)) - sentence), conclusion))
        << caption;
  }
}

} // namespace
} // namespace mneme::experiments
