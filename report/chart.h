// SPDX-License-Identifier: MIT

/// Charts as Vega-Lite specifications with inline data: the same file is used by pages, editors and tests.
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

/// One axis of a chart.
struct Axis {
  std::string title = {};   ///< with its unit, such as "bits flipped (%)"
  std::string format = {};  ///< d3-format of the tick labels, such as ".0%"; empty: automatic
  bool logarithmic = false; ///< logarithmic scale; all values must be > 0
  std::optional<std::pair<double, double>> range = {}; ///< lowest and highest value; empty: from the data
  /// Possible values, such as 0 to 1 for a fraction: neither the axis nor an interval extends beyond them.
  std::optional<std::pair<double, double>> limits = {};
};

/// The axis of a fraction from 0 to 1, such as an accuracy, labelled in percent.
Axis fraction_axis(std::string title);

enum class IntervalStyle { band, bars };

struct Point {
  double x = 0;
  Estimate y = {}; ///< low = high = value if there is no interval
};

enum class SeriesStyle { line_with_points, line, dashed_line, points };

struct Series {
  std::string name = {};
  std::vector<Point> points = {};
  SeriesStyle style = SeriesStyle::line_with_points;
  bool on_second_axis = false;
};

/// Style of the series with this index, so that series of the same colour differ: dashed after the last
/// colour.
SeriesStyle style_of_series(size_t index);

/// Style of a curve: a line, or a point if the curve has only one, which as a line would be invisible.
inline SeriesStyle curve_style(const std::vector<Point>& points) {
  return points.size() == 1 ? SeriesStyle::line_with_points : SeriesStyle::line;
}

/// A dashed line across the chart, with its label.
struct Reference {
  double at = 0; ///< on the x axis, or on the y axis where horizontal
  std::string label = {};
  bool horizontal = false;
};

/// Line or scatter plot over a numeric x. A click on a legend entry hides or shows its series.
struct LineChart {
  std::string title = {};
  std::string description = {}; ///< one sentence for readers who cannot see the chart
  Axis x = {}, y = {};
  std::vector<Series> series = {};
  std::string series_title = {}; ///< heading of the legend, such as "memory"
  IntervalStyle intervals = IntervalStyle::band;
  std::vector<Reference> references = {};
  std::optional<Axis> second_y = {}; ///< on the right, for series with `on_second_axis`
};

struct Bar {
  std::string category = {};
  std::string series = {}; ///< bars of one category are grouped, one per series; empty for a single series
  Estimate value = {};
};

/// Horizontal bar chart, so that long names stay readable. Categories and series keep their order.
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

/// Histogram with adjacent columns; several series are overlaid.
struct Histogram {
  std::string title = {};
  std::string description = {};
  Axis x = {}, y = {};
  std::vector<HistogramSeries> series = {};
  std::string series_title = {};
  std::vector<Reference> references = {};
};

/// Counts of `values` in `count` bins of equal width between their minimum and maximum. The last bin includes
/// its upper end.
///
/// Errors  UsageError if there are no values, one is not finite, or count < 1
std::vector<Bin> equal_bins(std::span<const double> values, int64_t count);

/// A finished chart.
struct Chart {
  std::string title, description;
  nlohmann::json spec; ///< Vega-Lite 5
  Table numbers;       ///< the plotted data, for the table below the chart and for CSV
};

/// Charts of one figure, side by side; below each other on a narrow page.
struct Panels {
  std::string title = {};
  std::string description = {};
  std::vector<Chart> charts = {}; ///< each with its own title
  bool stacked = false; ///< always below each other, each as wide as the page and with its own height
  /// The charts have the same series: only the first one has a legend, for all. All series are always shown.
  bool one_legend = false;
};

/// Converts a chart to a Vega-Lite specification. Points that are not finite are left out of the drawing but
/// stay in `numbers`.
///
/// Errors  UsageError if two series have the same name, or a value on a logarithmic axis is not > 0
Chart to_chart(const LineChart& chart);
Chart to_chart(const BarChart& chart);
Chart to_chart(const Histogram& chart);
/// Converts panels to a Vega-Lite `concat`; the first column of `numbers` is the title of the panel.
///
/// Errors  UsageError if there are no charts, two have the same title, one consists of panels itself, or,
///         with one_legend, the series differ
Chart to_chart(const Panels& panels);

/// Writes name.vl.json and name.csv into the folder (created if needed), each atomically. Removes name.svg,
/// name.png and name.pdf, which show an earlier chart, unless the specification is the same as before.
///
/// Errors  UsageError if `name` is not a plain file name (letters, digits, . _ -, not starting with a dot);
///         OutputError if a file cannot be written
void write_chart(const std::filesystem::path& folder, std::string_view name, const Chart& chart);

/// Removes the files of a chart of an earlier run: name.vl.json, name.csv, name.svg, name.png and name.pdf.
void remove_chart(const std::filesystem::path& folder, std::string_view name);

} // namespace mneme::report
