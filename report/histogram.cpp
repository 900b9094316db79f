// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>

#include "mneme/core/error.h"
#include "report/chart.h"
#include "report/chart_parts.h"

namespace mneme::report {

using nlohmann::json;

namespace {

constexpr double kOverlaidOpacity = 0.55;

} // namespace

std::vector<Bin> equal_bins(std::span<const double> values, int64_t count) {
  if (values.empty() || count < 1) {
    throw UsageError("mneme::report::equal_bins: " + std::to_string(values.size()) + " values in " +
                     std::to_string(count) + " bins.\n  Both must be at least 1.");
  }
  for (const double value : values) {
    if (!std::isfinite(value)) {
      throw UsageError("mneme::report::equal_bins: a value is " + exact_number(value) +
                       ".\n  Remove values that are not finite.");
    }
  }
  const auto [min, max] = std::ranges::minmax(values);
  // A single distinct value gets a range of width 1 around it.
  const double low = min < max ? min : min - 0.5, high = min < max ? max : max + 0.5;
  const double width = (high - low) / static_cast<double>(count);
  std::vector<Bin> bins(static_cast<size_t>(count));
  for (size_t i = 0; i < bins.size(); ++i) {
    bins[i].from = low + width * static_cast<double>(i);
    bins[i].to = i + 1 == bins.size() ? high : low + width * static_cast<double>(i + 1);
  }
  for (const double value : values) {
    const auto above = std::ranges::upper_bound(
        bins, value, {}, [](const Bin& bin) { return bin.from; }); // first bin that starts above the value
    ++(above - 1)->height;
  }
  return bins;
}

Chart to_chart(const Histogram& chart) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  json values = json::array();
  std::vector<double> xs, heights = {0};
  for (const Reference& reference : chart.references) {
    (reference.horizontal ? heights : xs).push_back(reference.at);
  }
  Table numbers{.columns = {{.name = or_else(chart.series_title, "series"),
                             .key = column_key(chart.series_title, "series")},
                            number_column(or_else(chart.x.title, "x") + " from", "from"),
                            number_column("to", "to"),
                            number_column(or_else(chart.y.title, "count"), "height")}};
  for (const HistogramSeries& series : chart.series) {
    check_name_is_new(seen, series.name);
    names.push_back(valid_utf8(series.name));
    for (const auto& [from, to, height] : series.bins) {
      check_axis(chart.x, "x", from);
      numbers.rows.push_back({series.name, from, to, height});
      if (std::isfinite(from) && std::isfinite(to) && std::isfinite(height) && height > 0) {
        values.push_back({{"series", names.back()}, {"from", from}, {"to", to}, {"height", height}});
        xs.insert(xs.end(), {from, to});
        heights.push_back(height);
      }
    }
  }
  make_keys_unique(numbers);
  const bool overlaid = names.size() > 1;
  json spec = frame(chart.title, chart.description);
  spec["data"] = {{"values", values}};
  const FittedAxis x = fit_axis(chart.x, xs, AxisEnds::values),
                   y = fit_axis(chart.y, heights, AxisEnds::ticks);
  spec["encoding"] = {{"x", axis_encoding("from", x)},
                      {"x2", {{"field", "to"}}},
                      {"color", colour_encoding(chart.series_title, names, LegendSymbols::boxes)}};
  json columns = {
      {"mark", {{"type", "rect"}, {"opacity", overlaid ? kOverlaidOpacity : 1}, {"stroke", nullptr}}},
      {"encoding",
       {{"y", axis_encoding("height", y, true)},
        {"y2", {{"datum", 0}}},
        {"tooltip",
         {tooltip("series", "nominal", or_else(chart.series_title, "series"), ""),
          tooltip("from", "quantitative", or_else(chart.x.title, "x") + " from", x.axis.format),
          tooltip("to", "quantitative", "to", x.axis.format),
          tooltip("height", "quantitative", or_else(chart.y.title, "count"), y.axis.format)}}}}};
  if (overlaid) {
    columns["params"] = json::array({shown_series(names)});
    columns["transform"] = keep_shown();
  }
  spec["layer"] = json::array({columns});
  add_references(spec, chart.references, x, y);
  set_legend_columns(spec, kWidth);
  return {chart.title, chart.description, std::move(spec), std::move(numbers)};
}

} // namespace mneme::report
