// SPDX-License-Identifier: MIT

#include "learning/run_curves.h"

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::learning {
namespace {

using mneme::testing::expect_contains;

RunMetrics run(const std::string& name, const std::string& metrics) {
  RunMetrics run = parse_metrics(metrics, "metrics.jsonl");
  run.name = name;
  return run;
}

template <class Failure> std::string error_of(const auto& compute) {
  try {
    compute();
  } catch (const Failure& error) {
    return error.what();
  }
  return "";
}

const std::string kBags =
    R"({"seed":1,"epoch":1,"training_loss":3,"validation_loss":4,"validation_accuracy":0.5}
{"seed":1,"epoch":2,"training_loss":2,"validation_loss":5,"validation_accuracy":1}
{"seed":2,"epoch":1,"training_loss":1,"validation_loss":2,"validation_accuracy":0.5}
)";
const std::string kTrials = R"({"trial":0,"epoch":1,"loss":0.5,"accuracy":0.75}
)";
const std::string kText = R"({"step":1,"loss":3,"bits_per_byte":4,"gradient_norm":1,"learning_rate":0.1}
{"step":2,"loss":null,"bits_per_byte":null,"gradient_norm":1,"learning_rate":0.1}
{"step":2,"validation_loss":2,"validation_bits_per_byte":3}
{"step":2,"sample":"text"}
)";

TEST(RunCurves, DrawTheMedianOfTheSeedsOfEachRunInAllPanels) {
  const report::Chart chart = run_curves("curves", {run("bags", kBags), run("trials", kTrials)});
  const nlohmann::json& panels = chart.spec.at("concat");
  ASSERT_EQ(panels.size(), 4U);
  for (const nlohmann::json& panel : panels) {
    EXPECT_EQ(panel.at("encoding").at("color").at("scale").at("domain"), nlohmann::json({"bags", "trials"}));
  }
  const nlohmann::json& validation = panels.at(1).at("data").at("values"); // of the first run only
  ASSERT_EQ(validation.size(), 2U);
  EXPECT_EQ(validation.at(0).at("y"), 3);
  EXPECT_EQ(validation.at(1).at("y"), 3.5); // of 5, and the last value of the other seed
  EXPECT_EQ(validation.at(1).at("low"), 2);
  EXPECT_EQ(panels.at(0).at("data").at("values").size(), 3U);
}

TEST(RunCurves, UseBitsPerByteOfLanguageModelsAndSkipWhatIsNotFinite) {
  const report::Table table = run_table({run("text", kText)});
  EXPECT_EQ(
      report::to_csv(table),
      "run,steps,training_bits_per_byte,validation_bits_per_byte,lowest_validation_bits_per_byte,at step\n"
      "text,2,4,3,3,2\n");
  EXPECT_EQ(run_curves("curves", {run("text", kText)}).spec.at("concat").size(), 2U);
}

TEST(RunCurves, ListLastValuesAndTheLowestValidationLoss) {
  RunMetrics bags = run("bags", kBags);
  bags.model = "pooling";
  const report::Table table = run_table({bags, run("trials", kTrials)});
  EXPECT_EQ(report::to_csv(table),
            "run,model,seeds,epochs,training loss,validation loss,training accuracy,validation accuracy,"
            "lowest validation loss,at epoch\n"
            "bags,pooling,2,2,1.5,3.5,,0.75,3,1\n"
            "trials,,1,1,0.5,,0.75,,,\n");
}

TEST(RunCurves, DrawASinglePoint) {
  const report::Chart chart = run_curves("curves", {run("trials", kTrials)});
  const std::string panel = chart.spec.at("concat").at(0).dump();
  EXPECT_TRUE(testing::contains(panel, R"("type":"point")")) << panel;
}

TEST(RunCurves, AverageConsecutivePointsOfLongRuns) {
  std::string text;
  for (int step = 1; step <= 2500; ++step) {
    text += "{\"step\":" + std::to_string(step) + ",\"bits_per_byte\":" + std::to_string(step % 2) + "}\n";
  }
  const report::Chart chart = run_curves("curves", {run("long", text)});
  EXPECT_LT(chart.numbers.rows.size(), 1001U);
  EXPECT_GT(chart.numbers.rows.size(), 500U);
}

TEST(RunCurves, ReportWhatCannotBeCompared) {
  expect_contains(error_of<UsageError>([] {
                    run_curves("curves", {run("bags", kBags), run("text", kText)});
                  }),
                  {"bags counts epochs, but text counts steps"});
  expect_contains(error_of<UsageError>([] {
                    run_curves("curves", {run("a", kBags), run("a", kBags)});
                  }),
                  {"\"a\""});
  expect_contains(error_of<DataError>([] { parse_metrics("{\"epoch\":1}\n", "m.jsonl"); }),
                  {"m.jsonl", "no losses"});
  expect_contains(error_of<DataError>([] { parse_metrics("{\"epoch\":1,\"loss\":null}\n", "m.jsonl"); }),
                  {"m.jsonl", "contains no losses"});
  expect_contains(error_of<DataError>([] { parse_metrics(kBags + "[1]\n", "m.jsonl"); }),
                  {"m.jsonl", "line 4"});
  expect_contains(error_of<DataError>([] { parse_metrics(kBags + kText, "m.jsonl"); }), {"line 4"});
}

} // namespace
} // namespace mneme::learning
