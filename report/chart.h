// SPDX-License-Identifier: MIT

/// Charts as Vega-Lite specifications with the data inside: one file serves a page, an editor and a test.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "report/table.h"

namespace mneme::report {

/// What stands along one side of a chart.
struct Axis {
  std::string title = {};   ///< with its unit, such as "bits flipped (%)"
  std::string format = {};  ///< d3-format of the tick labels, such as ".0%"; empty: automatic
  bool logarithmic = false; ///< every number on it must then be > 0
  std::optional<std::pair<double, double>> range = {}; ///< first and last value; empty: from the data
};

enum class IntervalStyle { band, bars };

struct Point {
  double x = 0;
  Estimate y = {}; ///< low = high = value where there is no interval
};

enum class SeriesStyle { line_with_points, line, dashed_line, points };

struct Series {
  std::string name = {};
  std::vector<Point> points = {};
  SeriesStyle style = SeriesStyle::line_with_points;
  bool on_second_axis = false;
};

/// A dashed line across the whole chart, with its label.
struct Reference {
  double at = 0; ///< on the x axis, or on the y axis where horizontal
  std::string label = {};
  bool horizontal = false;
};

/// Lines and points over a numeric x. A click on a legend entry hides or shows its series.
struct LineChart {
  std::string title = {};
  std::string description = {}; ///< one sentence for readers who cannot see the chart
  Axis x = {}, y = {};
  std::vector<Series> series = {};
  std::string series_title = {}; ///< heading of the legend, such as "memory"
  IntervalStyle intervals = IntervalStyle::band;
  std::vector<Reference> references = {};
  std::optional<Axis> second_y = {}; ///< on the right, for the series that ask for it
};

struct Bar {
  std::string category = {};
  std::string series = {}; ///< bars of one category stand together, one per series; empty for a single series
  Estimate value = {};
};

/// Horizontal bars, so that names of any length stay readable. Categories and series keep their order.
struct BarChart {
  std::string title = {};
  std::string description = {};
  std::string category_title = {};
  Axis value = {};
  std::vector<Bar> bars = {};
  std::string series_title = {};
};

struct Bin {
  double from = 0, to = 0;
  double height = 0; ///< a count, or a density
};

struct HistogramSeries {
  std::string name = {};
  std::vector<Bin> bins = {};
};

/// Bins of numbers as columns that touch; several series lie over each other.
struct Histogram {
  std::string title = {};
  std::string description = {};
  Axis x = {}, y = {};
  std::vector<HistogramSeries> series = {};
  std::string series_title = {};
  std::vector<Reference> references = {};
};

/// `count` bins of equal width from the least to the largest value; the last one holds both its ends.
///
/// Errors  UsageError if there are no values, one is not finite, or count < 1
std::vector<Bin> equal_bins(std::span<const double> values, int64_t count);

/// A finished chart.
struct Chart {
  std::string title, description;
  nlohmann::json spec; ///< Vega-Lite 5
  Table numbers;       ///< what is drawn, for reading and for CSV
};

/// Charts that belong together, side by side; on a narrow page below each other.
struct Panels {
  std::string title = {};
  std::string description = {};
  std::vector<Chart> charts = {}; ///< each with its own title
  bool stacked = false;           ///< below each other on any page, each as wide as it and of its own height
};

/// Errors  UsageError if two series have one name, or a number on a logarithmic axis is not above 0. Points
/// that are not finite are left out of the drawing and stay in `numbers`.
Chart to_chart(const LineChart& chart);
Chart to_chart(const BarChart& chart);
Chart to_chart(const Histogram& chart);
/// The specification is a Vega-Lite `concat`; `numbers` says in its first column which panel a row belongs to.
///
/// Errors  UsageError if there are no charts, two have one title, or one is made of panels itself
Chart to_chart(const Panels& panels);

/// Writes name.vl.json and name.csv into the folder (created if needed), each atomically.
///
/// Errors  UsageError if `name` is no plain file name (letters, digits, . _ -, not beginning with a dot);
///         OutputError if a file cannot be written
void write_chart(const std::filesystem::path& folder, std::string_view name, const Chart& chart);

} // namespace mneme::report
