// SPDX-License-Identifier: MIT

#include "report/chart.h"

#include <cmath>
#include <filesystem>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"

namespace mneme::report {
namespace {

using nlohmann::json;

LineChart recall_chart() {
  return {.title = "Recall",
          .description = "Fraction of exact recalls by noise.",
          .x = {.title = "noise (%)"},
          .y = {.title = "recalled (%)", .format = ".1f", .range = std::pair{0.0, 100.0}},
          .series = {{.name = "sdm", .points = {{10, {90, 85, 95}}, {20, {40, 30, 50}}}},
                     {.name = "hopfield", .points = {{10, {99, 98, 100}}}}},
          .series_title = "memory"};
}

/// The first layer with this mark.
json layer(const json& spec, const std::string& mark) {
  for (const json& one : spec["layer"]) {
    if (one["mark"]["type"] == mark) {
      return one;
    }
  }
  return nullptr;
}

TEST(LineChart, HasInlineDataAndEncodesItsFields) {
  const Chart chart = to_chart(recall_chart());
  EXPECT_EQ(chart.spec["$schema"], "https://vega.github.io/schema/vega-lite/v5.json");
  ASSERT_EQ(chart.spec["data"]["values"].size(), 3U);
  EXPECT_EQ(chart.spec["data"]["values"][1],
            (json{{"series", "sdm"}, {"x", 20.0}, {"y", 40.0}, {"low", 30.0}, {"high", 50.0}}));
  EXPECT_EQ(chart.spec["encoding"]["x"]["field"], "x");
  EXPECT_EQ(chart.spec["encoding"]["x"]["title"], "noise (%)");
  EXPECT_EQ(chart.spec["encoding"]["color"]["scale"]["domain"], (json{"sdm", "hopfield"}));
  const json points = layer(chart.spec, "point");
  EXPECT_EQ(points["encoding"]["y"]["scale"]["domain"], (json{0.0, 100.0}));
  EXPECT_EQ(points["encoding"]["y"]["axis"]["format"], ".1f");
  EXPECT_EQ(points["encoding"]["tooltip"].size(), 5U);
  EXPECT_EQ(layer(chart.spec, "line")["encoding"]["y"]["field"], "y");
}

TEST(LineChart, DrawsIntervalsAsBandOrBars) {
  LineChart chart = recall_chart();
  EXPECT_EQ(layer(to_chart(chart).spec, "area")["encoding"]["y2"]["field"], "high");
  chart.intervals = IntervalStyle::bars;
  EXPECT_EQ(layer(to_chart(chart).spec, "rule")["encoding"]["y"]["field"], "low");
  EXPECT_TRUE(layer(to_chart(chart).spec, "area").is_null());
}

TEST(LineChart, DrawsDashedSeriesWithoutPointsInChartAndLegend) {
  LineChart chart = recall_chart();
  chart.series[1].style = SeriesStyle::dashed_line;
  const json spec = to_chart(chart).spec, points = layer(spec, "point");
  EXPECT_EQ(points["encoding"]["shape"]["scale"]["range"][1], "stroke");
  EXPECT_NE(points["encoding"]["shape"]["scale"]["range"][0], "stroke");
  EXPECT_TRUE(points["transform"].dump().find("\"oneOf\":[\"sdm\"]") != std::string::npos);
  EXPECT_EQ(layer(spec, "line")["encoding"]["strokeDash"]["scale"]["range"][0], (json{1, 0}));
  EXPECT_NE(layer(spec, "line")["encoding"]["strokeDash"]["scale"]["range"][1], (json{1, 0}));
}

TEST(LineChart, DrawsLinesWithoutPointsAsLinesInTheLegend) {
  LineChart chart = recall_chart();
  EXPECT_FALSE(to_chart(chart).spec["encoding"]["color"]["legend"].contains("symbolType"));
  for (Series& series : chart.series) {
    series.style = SeriesStyle::line;
  }
  EXPECT_EQ(to_chart(chart).spec["encoding"]["color"]["legend"]["symbolType"], "stroke");
}

TEST(LineChart, OmitsIntervalsIfThereAreNone) {
  LineChart chart = recall_chart();
  chart.series = {{.name = "loss", .points = {{1, {2, 2, 2}}}}};
  const Chart made = to_chart(chart);
  EXPECT_EQ(made.spec["layer"].size(), 2U);
  EXPECT_EQ(to_csv(made.numbers), "memory,noise_percent,recalled_percent\nloss,1,2\n");
  EXPECT_TRUE(made.spec["encoding"]["color"]["legend"].is_null()); // A single series needs no legend.
}

TEST(LineChart, InitiallyShowsEverySeriesAndTogglesOnClick) {
  const json params = layer(to_chart(recall_chart()).spec, "point")["params"][0];
  EXPECT_EQ(params["bind"], "legend");
  EXPECT_EQ(params["select"]["toggle"], "true");
  EXPECT_EQ(params["value"], (json{{{"series", "sdm"}}, {{"series", "hopfield"}}}));
}

TEST(LineChart, OmitsPointsThatAreNotFiniteFromTheDrawing) {
  LineChart chart = recall_chart();
  chart.series[0].points.push_back({30, {std::nan(""), 0, 0}});
  const Chart made = to_chart(chart);
  EXPECT_EQ(made.spec["data"]["values"].size(), 3U);
  EXPECT_NE(to_csv(made.numbers).find("sdm,30,nan"), std::string::npos);
}

TEST(LineChart, LabelsPowersOfTenOnALogarithmicAxis) {
  LineChart chart = recall_chart();
  chart.y = {.title = "error", .logarithmic = true};
  chart.series[0].points[0].y = {1e-7, 1e-7, 1e-7};
  const json y = layer(to_chart(chart).spec, "point")["encoding"]["y"];
  EXPECT_EQ(y["axis"]["values"].size(), 10U); // 1e-7 to 100
  EXPECT_EQ(y["axis"]["format"], ".0e");
}

TEST(LineChart, KeepsAxisAndIntervalsWithinTheirLimits) {
  LineChart chart = recall_chart();
  chart.y = fraction_axis("accuracy");
  chart.series = {{.name = "mlp", .points = {{1, {0.991, 0.97, 1.012}}, {2, {1, 1, 1}}}}};
  const Chart made = to_chart(chart);
  const json y = layer(made.spec, "point")["encoding"]["y"];
  EXPECT_EQ(y["scale"]["domain"][1], 1.0);
  EXPECT_EQ(y["axis"]["format"], ".1%"); // with whole percents, ticks would repeat
  EXPECT_EQ(made.spec["data"]["values"][0]["high"], 1.0);
  EXPECT_NE(to_csv(made.numbers).find("mlp,1,0.991,0.97,1\n"), std::string::npos) << to_csv(made.numbers);
}

TEST(LineChart, HasAsManyLegendColumnsAsFit) {
  LineChart chart = recall_chart();
  EXPECT_EQ(to_chart(chart).spec["encoding"]["color"]["legend"]["columns"], 2);
  chart.series[0].name = std::string(60, 'a');
  EXPECT_EQ(to_chart(chart).spec["encoding"]["color"]["legend"]["columns"], 1);
}

TEST(LineChart, RejectsNonPositiveValuesOnALogarithmicAxis) {
  LineChart chart = recall_chart();
  chart.y.logarithmic = true;
  chart.series[0].points[0].y.low = 0;
  try {
    (void)to_chart(chart);
    FAIL() << "nothing was thrown";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("\"recalled (%)\" is logarithmic, but one of its values is 0"),
              std::string::npos)
        << error.what();
  }
}

TEST(LineChart, RejectsTwoSeriesOfTheSameName) {
  LineChart chart = recall_chart();
  chart.series[1].name = "sdm";
  EXPECT_THROW((void)to_chart(chart), UsageError);
}

TEST(BarChart, KeepsTheOrderAndStartsAtZero) {
  const Chart chart = to_chart(BarChart{.title = "Time",
                                        .description = "Time by memory.",
                                        .value = {.title = "ms"},
                                        .bars = {{.category = "z", .series = "1 000", .value = {2, 1, 3}},
                                                 {.category = "a", .series = "1 000", .value = {4, 4, 4}},
                                                 {.category = "z", .series = "10", .value = {1, 1, 1}}}});
  EXPECT_EQ(chart.spec["encoding"]["y"]["sort"], (json{"z", "a"}));
  EXPECT_EQ(chart.spec["encoding"]["yOffset"]["sort"], (json{"1 000", "10"}));
  EXPECT_EQ(layer(chart.spec, "bar")["encoding"]["x"]["scale"]["zero"], true);
  EXPECT_EQ(layer(chart.spec, "rule")["encoding"]["x2"]["field"], "high");
  EXPECT_EQ(to_csv(chart.numbers).substr(0, 34), "category,series,ms,ms_low,ms_high\n");
}

TEST(BarChart, WrapsLongNames) {
  const std::string longest = "MLP, given products with the rule token";
  const Chart chart = to_chart(
      BarChart{.title = "Variants",
               .category_title = "variant",
               .bars = {{.category = "MLP", .value = {1, 1, 1}}, {.category = longest, .value = {2, 2, 2}}}});
  const json axis = chart.spec["encoding"]["y"]["axis"];
  EXPECT_EQ(axis["labelLimit"], 0);
  EXPECT_NE(axis["labelExpr"].get<std::string>().find("[\"MLP, given products with\",\"the rule token\"]"),
            std::string::npos)
      << axis;
  EXPECT_EQ(axis["labelOffset"]["condition"].size(), 1U);
  EXPECT_EQ(axis["titleAngle"], 0);
  EXPECT_NE(to_csv(chart.numbers).find(longest), std::string::npos);
}

TEST(BarChart, HasNoSeriesColumnForASingleSeries) {
  const Chart chart = to_chart(BarChart{.title = "Time", .bars = {{.category = "a", .value = {1, 1, 1}}}});
  EXPECT_EQ(to_csv(chart.numbers), "category,value\na,1\n");
  EXPECT_FALSE(chart.spec["encoding"].contains("yOffset"));
}

class WriteChart : public ::testing::Test {
protected:
  std::string read(const char* name) const { return testing::read_text(folder_ / name); }

  const testing::TemporaryFolder home_;
  const std::filesystem::path folder_ = home_ / "charts";
};

TEST_F(WriteChart, WritesOnlyTheSpecificationAndTheNumbers) {
  const Chart chart = to_chart(recall_chart());
  write_chart(folder_, "recall", chart);
  EXPECT_EQ(json::parse(read("recall.vl.json")), chart.spec);
  EXPECT_EQ(read("recall.csv"), to_csv(chart.numbers));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 2);
  const std::string first = read("recall.vl.json");
  write_chart(folder_, "recall", to_chart(recall_chart()));
  EXPECT_EQ(read("recall.vl.json"), first);
}

TEST_F(WriteChart, RemovesDrawingsOfAnEarlierChart) {
  LineChart chart = recall_chart();
  write_chart(folder_, "recall", to_chart(chart));
  for (const char* name : {"recall.png", "recall.svg", "other.png"}) {
    write_file_atomically(folder_ / name, "drawing");
  }
  write_chart(folder_, "recall", to_chart(chart));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "recall.png")) << "the chart is the same";
  chart.title = "Another chart";
  write_chart(folder_, "recall", to_chart(chart));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "recall.png"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "recall.svg"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "other.png"));
  remove_chart(folder_, "recall");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(WriteChart, AcceptsNamesThatAreNotUtf8) {
  LineChart chart = recall_chart();
  chart.title = chart.series[0].name = "\xff\xfe";
  write_chart(folder_, "recall", to_chart(chart));
  EXPECT_EQ(json::parse(read("recall.vl.json"))["title"]["text"], "\uFFFD\uFFFD");
}

TEST_F(WriteChart, RejectsNamesOutsideTheFolder) {
  for (const char* name : {"", "../x", "a/b", ".hidden", "a b", "\xc3\xa4"}) {
    EXPECT_THROW(write_chart(folder_, name, to_chart(recall_chart())), UsageError) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_));
}

} // namespace
} // namespace mneme::report
