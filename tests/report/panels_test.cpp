// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"
#include "report/chart.h"

namespace mneme::report {
namespace {

using mneme::testing::contains;
using nlohmann::json;

LineChart line(const std::string& title, double y) {
  return {.title = title,
          .x = {.title = "x"},
          .y = {.title = "y"},
          .series = {{.name = "a", .points = {{1, {y, y, y}}}}, {.name = "b", .points = {{2, {y, y, y}}}}}};
}

std::string error_of(const auto& make) {
  try {
    make();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(LineChart, DrawsMarksByTheStyleOfTheSeries) {
  LineChart chart = line("t", 1);
  chart.series[0].style = SeriesStyle::points;
  chart.series[1].style = SeriesStyle::dashed_line;
  const Chart finished = to_chart(chart);
  ASSERT_EQ(finished.spec["layer"].size(), 2U);
  const json lines = finished.spec["layer"][0], points = finished.spec["layer"][1];
  EXPECT_EQ(lines["mark"]["type"], "line");
  EXPECT_EQ(lines["transform"][1]["filter"]["oneOf"], json({"b"}));
  EXPECT_EQ(lines["encoding"]["strokeDash"]["scale"]["range"], (json{{1, 0}, {6, 4}}));
  EXPECT_EQ(points["transform"][1]["filter"]["oneOf"], json({"a"}));
}

TEST(LineChart, DrawsReferencesInSeparateLayers) {
  LineChart chart = line("t", 1);
  chart.references = {{.at = 1.5, .label = "best"}, {.at = 0.5, .label = "chance", .horizontal = true}};
  const Chart finished = to_chart(chart);
  EXPECT_FALSE(finished.spec.contains("encoding"));
  ASSERT_EQ(finished.spec["layer"].size(), 5U); // series; a rule and a label per direction
  EXPECT_EQ(finished.spec["layer"][1]["encoding"]["x"]["field"], "at");
  EXPECT_EQ(finished.spec["layer"][3]["encoding"]["y"]["field"], "at");
  chart.x.logarithmic = true;
  chart.references[0].at = 0;
  EXPECT_TRUE(contains(error_of([&] { to_chart(chart); }), "logarithmic"));
}

TEST(LineChart, DrawsALabelNearTheVerticalAxisOnTheOtherSideOfItsLine) {
  LineChart chart = line("t", 1);
  chart.x.range = std::pair(0.0, 100.0);
  chart.references = {{.at = 1, .label = "first"}, {.at = 50, .label = "second"}};
  const json layers = to_chart(chart).spec["layer"];
  ASSERT_EQ(layers.size(), 4U); // series, rules, and labels on each side
  EXPECT_EQ(layers[2]["data"]["values"][0]["label"], "second");
  EXPECT_EQ(layers[2]["mark"]["baseline"], "bottom");
  EXPECT_EQ(layers[3]["data"]["values"][0]["label"], "first");
  EXPECT_EQ(layers[3]["mark"]["baseline"], "top");
}

TEST(LineChart, PutsSeriesOnASecondAxis) {
  LineChart chart = line("t", 1);
  chart.series[1].on_second_axis = true;
  EXPECT_TRUE(contains(error_of([&] { to_chart(chart); }), "second axis"));
  chart.second_y = Axis{.title = "right", .logarithmic = true};
  const Chart finished = to_chart(chart);
  EXPECT_TRUE(finished.numbers.columns.back().name.ends_with(" or right"));
  EXPECT_EQ(finished.spec["resolve"]["scale"]["y"], "independent");
  EXPECT_EQ(finished.spec["layer"][1]["layer"][0]["encoding"]["y"]["axis"]["orient"], "right");
  EXPECT_EQ(finished.spec["layer"][1]["layer"][0]["encoding"]["y"]["scale"]["type"], "log");
}

TEST(Histogram, CountsEveryValueOnceAndTheMaximumInTheLastBin) {
  const std::vector<double> values = {0, 0.5, 1, 1.5, 2};
  const std::vector<Bin> bins = equal_bins(values, 2);
  ASSERT_EQ(bins.size(), 2U);
  EXPECT_EQ(bins[0].height, 2);
  EXPECT_EQ(bins[1].height, 3);
  EXPECT_EQ(bins[1].from, 1);
  EXPECT_EQ(bins[1].to, 2);
  EXPECT_EQ(equal_bins(std::vector<double>{3, 3}, 4)[2].height, 2);
  EXPECT_TRUE(contains(error_of([] { equal_bins({}, 3); }), "0 values"));
  EXPECT_TRUE(contains(error_of([&] { equal_bins(values, 0); }), "0 bins"));
  EXPECT_TRUE(contains(error_of([] { equal_bins(std::vector<double>{1.0, 1.0 / 0.0}, 3); }), "inf"));
  const Chart chart = to_chart(Histogram{.title = "h", .x = {.title = "beta"}, .series = {{"a", bins}}});
  EXPECT_EQ(chart.numbers.rows.size(), 2U);
  EXPECT_EQ(chart.spec["data"]["values"][1],
            (json{{"series", "a"}, {"from", 1.0}, {"to", 2.0}, {"height", 3.0}}));
}

TEST(Panels, RenameSelectionsAndAddAPanelColumn) {
  const Chart combined =
      to_chart(Panels{.title = "two", .charts = {to_chart(line("left", 1)), to_chart(line("right", 2))}});
  ASSERT_EQ(combined.spec["concat"].size(), 2U);
  const std::string dumped = combined.spec["concat"][0].dump();
  EXPECT_TRUE(contains(dumped, "shown_1"));
  EXPECT_EQ(dumped.find("\"shown\""), std::string::npos);
  EXPECT_TRUE(contains(combined.spec["concat"][1].dump(), "shown_2"));
  ASSERT_EQ(combined.numbers.rows.size(), 4U);
  EXPECT_EQ(std::get<std::string>(combined.numbers.rows[2][0]), "right");
  EXPECT_NO_THROW(check_table(combined.numbers));
}

TEST(Panels, KeepTheColoursOfTheirOwnSeries) {
  const Chart combined =
      to_chart(Panels{.title = "two", .charts = {to_chart(line("left", 1)), to_chart(line("right", 2))}});
  for (const char* channel : {"color", "shape", "strokeDash"}) {
    EXPECT_EQ(combined.spec["resolve"]["scale"][channel], "independent") << channel;
  }
}

TEST(Panels, ShareOneLegendIfRequested) {
  LineChart second = line("right", 2);
  second.series[0].points = {}; // a series without data keeps its colour
  const Panels panels{.charts = {to_chart(line("left", 1)), to_chart(second)}, .one_legend = true};
  const json parts = to_chart(panels).spec["concat"];
  const json first_colour = parts[0]["encoding"]["color"], second_colour = parts[1]["encoding"]["color"];
  EXPECT_EQ(first_colour["scale"], second_colour["scale"]);
  EXPECT_TRUE(first_colour["legend"].is_object());
  EXPECT_TRUE(second_colour["legend"].is_null());
  EXPECT_EQ(parts.dump().find("shown"), std::string::npos) << "no selection";
  second.series.pop_back();
  EXPECT_TRUE(contains(
      error_of([&] {
        to_chart(Panels{.charts = {to_chart(line("left", 1)), to_chart(second)}, .one_legend = true});
      }),
      "\"right\" has other series"));
}

TEST(Panels, KeepTheirHeightsIfStacked) {
  Chart tall = to_chart(line("tall", 1));
  tall.spec["height"] = 555;
  const Chart stacked = to_chart(Panels{.charts = {tall}, .stacked = true}),
              side_by_side = to_chart(Panels{.charts = {tall}});
  EXPECT_EQ(stacked.spec["columns"], 1);
  EXPECT_EQ(stacked.spec["concat"][0]["height"], 555);
  EXPECT_EQ(side_by_side.spec["columns"], 2);
  EXPECT_NE(side_by_side.spec["concat"][0]["height"], 555);
}

TEST(Panels, RejectInvalidCharts) {
  const Chart one = to_chart(line("left", 1));
  EXPECT_TRUE(contains(error_of([] { to_chart(Panels{.title = "none"}); }), "contain no chart"));
  EXPECT_TRUE(contains(error_of([&] { to_chart(Panels{.charts = {one, one}}); }), "\"left\""));
  const Chart nested = to_chart(Panels{.title = "nested", .charts = {one}});
  EXPECT_TRUE(contains(error_of([&] { to_chart(Panels{.charts = {nested}}); }), "panels itself"));
}

} // namespace
} // namespace mneme::report
