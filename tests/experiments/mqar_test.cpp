// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "experiments/findings.h"
#include "experiments/registry.h"
#include "mneme/core/error.h"

namespace mneme::experiments {
namespace {

using mneme::testing::contains;

const Experiment& mqar() {
  return *experiments_named(std::vector<std::string>{"leap/mqar"}).at(0);
}

GivenParameter given(const std::string& name, int64_t value) {
  return {.name = name, .text = std::to_string(value), .values = {value}};
}

/// Settings of a run of a fraction of a second.
RunSettings tiny() {
  return {.quick = true,
          .parameters = {given("epochs", 1), given("examples", 64), given("length", 8), given("pairs", 2),
                         given("seeds", 2), given("vocabulary", 9), given("width", 8)}};
}

TEST(MqarExperiment, ShowsPublishedAndMeasuredAccuracies) {
  Progress silent;
  const Outcome outcome = mqar().run(tiny(), silent);
  EXPECT_EQ(tally(outcome).met, 0); // the parameters are not those of a full run
  EXPECT_EQ(tally(outcome).missed, 0);
  EXPECT_EQ(tally(outcome).not_compared, 3);
  ASSERT_EQ(outcome.tables.size(), 3U);
  // LEAP, matrix LEAP with 8 heads and with 1, attention, the Hopfield layer with 1 update and with 2
  EXPECT_EQ(outcome.tables[2].table.rows.size(), 6U);
  EXPECT_EQ(outcome.tables[1].table.rows.size(), 6U + 32);
  ASSERT_EQ(outcome.figures.size(), 2U);
  EXPECT_EQ(outcome.figures[0].chart.spec.at("concat").size(), 2U); // 2 pairs, published
  const Finished finished{.experiment = &mqar(), .outcome = outcome};
  EXPECT_NO_THROW(report::to_html(page_of(std::span(&finished, 1), {})));
}

TEST(MqarExperiment, RefusesSizesThatDoNotFit) {
  const auto error_with = [](const std::string& name, int64_t value) {
    RunSettings settings = tiny();
    for (GivenParameter& parameter : settings.parameters) {
      if (parameter.name == name) {
        parameter = given(name, value);
      }
    }
    Progress silent;
    try {
      mqar().run(settings, silent);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_TRUE(contains(error_with("pairs", 3), "--pairs 3 and --length 8"));
  EXPECT_TRUE(contains(error_with("length", 9), "--length 9"));
  EXPECT_TRUE(contains(error_with("vocabulary", 8), "--length 8 and --vocabulary 8"));
  EXPECT_TRUE(contains(error_with("width", 6), "--width 6"));
  RunSettings settings = tiny();
  settings.parameters = {{.name = "pairs", .text = "2,2", .values = {2, 2}}};
  Progress silent;
  EXPECT_THROW(mqar().run(settings, silent), UsageError);
}

} // namespace
} // namespace mneme::experiments
