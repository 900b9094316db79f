// SPDX-License-Identifier: MIT

/// Runs experiments with their quick parameters; no published value may be missed.

#include <filesystem>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "experiments/findings.h"
#include "experiments/registry.h"
#include "mneme/core/error.h"

namespace mneme::experiments {
namespace {

class QuickExperiment : public ::testing::TestWithParam<const char*> {};

TEST_P(QuickExperiment, MeetsEveryPublishedValue) {
  const mneme::testing::TemporaryFolder empty;
  const Experiment& experiment = *experiments_named(std::vector<std::string>{GetParam()}).front();
  Progress silent;
  const Outcome outcome = experiment.run({.quick = true, .seed = 3, .data = empty.path()}, silent);
  ASSERT_TRUE(outcome.skipped.empty()) << outcome.skipped;
  EXPECT_GT(tally(outcome).met, 0);
  for (const ComparisonTable& table : outcome.comparisons) {
    for (const Comparison& row : table.rows) {
      EXPECT_TRUE(row.is_met()) << table.title << ": " << row.what << ": published " << row.published
                                << ", measured " << row.measured.mean << ", tolerance " << row.tolerance;
    }
  }
  EXPECT_FALSE(outcome.figures.empty());
  EXPECT_FALSE(outcome.notes.empty());
  EXPECT_FALSE(outcome.parameters.empty());
  const Finished finished{.experiment = &experiment, .outcome = outcome};
  EXPECT_NO_THROW(report::to_html(page_of(std::span(&finished, 1), {})));
}

std::string name_of(const ::testing::TestParamInfo<const char*>& test) {
  std::string name;
  for (const char c : std::string(test.param)) {
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Sdm, QuickExperiment,
                         ::testing::Values("sdm/softmax-circle", "sdm/exp-bounds",
                                           "sdm/sdm-experiments/randunif64",
                                           "sdm/sdm-experiments/randunif1000", "sdm/neuron-limited",
                                           "sdm/neuron-distance", "sdm/critical-distances",
                                           "sdm/keyquery-norm-betas", "sdm/circle-differences",
                                           "sdm/optimal-radius", "sdm/full-size"),
                         name_of);

INSTANTIATE_TEST_SUITE_P(Hopfield, QuickExperiment,
                         ::testing::Values("hopfield/energy", "hopfield/one-step", "hopfield/capacity",
                                           "hopfield/fixed-points"),
                         name_of);

Outcome run_with(const std::string& id, std::vector<GivenParameter> parameters) {
  Progress silent;
  return experiments_named(std::vector{id})
      .front()
      ->run({.quick = true, .parameters = std::move(parameters)}, silent);
}

TEST(HopfieldExperiment, RunsWithGivenParameters) {
  const Outcome energy =
      run_with("hopfield/energy", {{.name = "beta", .text = "0.25,5", .numbers = {0.25, 5}},
                                   {.name = "bits", .text = "16", .values = {16}},
                                   {.name = "patterns", .text = "10", .values = {10}}});
  EXPECT_EQ(energy.figures.at(0).name, "energy");
  ASSERT_EQ(energy.tables.at(0).table.rows.size(), 2U) << "one row per beta";
  EXPECT_EQ(std::get<double>(energy.tables.at(0).table.rows.at(0).at(0)), 0.25);
  EXPECT_EQ(tally(energy).missed, 0) << "the theorems hold for all parameters";
  EXPECT_TRUE(mneme::testing::contains(energy.parameters.at(0).second, "10 random points"));
  EXPECT_TRUE(mneme::testing::contains(energy.parameters.at(0).second, "in 16 dimensions"));

  const Outcome capacity =
      run_with("hopfield/capacity", {{.name = "bits", .text = "6,12", .values = {6, 12}}});
  EXPECT_TRUE(capacity.comparisons.empty()) << "published for other dimensions";
  bool any_measured = false, any_beyond = false;
  for (const auto& row : capacity.tables.at(1).table.rows) {
    any_measured = any_measured || std::get<int64_t>(row.at(1)) == 6;
    any_beyond = any_beyond || std::holds_alternative<report::Missing>(row.at(2));
  }
  EXPECT_TRUE(any_measured);
  EXPECT_TRUE(any_beyond) << "more than 100 000 patterns with K = 3";
  const Outcome few = run_with("hopfield/capacity", {{.name = "bits", .text = "4,12", .values = {4, 12}}});
  EXPECT_EQ(std::get<std::string>(few.tables.at(1).table.rows.at(0).at(3)), "below 4") << "K = 1, d = 4";
  EXPECT_THROW(run_with("hopfield/capacity", {{.name = "beta", .text = "1,2", .numbers = {1, 2}}}),
               UsageError);
}

TEST(MnistExperiment, ReportsTheSearchedFolderWithoutData) {
  const mneme::testing::TemporaryFolder empty;
  const Experiment& mnist = *experiments_named(std::vector<std::string>{"sdm/sdm-experiments/mnist"}).front();
  Progress silent;
  const RunSettings settings{.quick = true, .data = empty.path()};
  EXPECT_TRUE(mneme::testing::contains(mnist.run(settings, silent).skipped, empty.path().string()));
  EXPECT_EQ(mnist.inputs(settings), "no MNIST");
}

} // namespace
} // namespace mneme::experiments
