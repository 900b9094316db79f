// SPDX-License-Identifier: MIT

/// Runs experiments with their quick parameters; no published value may be missed.

#include <filesystem>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "experiments/findings.h"
#include "experiments/registry.h"

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
