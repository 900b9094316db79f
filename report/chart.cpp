// SPDX-License-Identifier: MIT

#include "report/chart.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "report/chart_parts.h"
#include "report/json_text.h"
#include "report/text.h"

namespace mneme::report {

using nlohmann::json;

namespace {

constexpr size_t kBar = 26, kGroupedBar = 14, kBarGap = 12; // pixels
constexpr double kBandOpacity = 0.16;
constexpr int kPoint = 60, kSmallPoint = 16; // square pixels
constexpr size_t kManyPoints = 60;

/// Layers of the series on one of the y axes. With `has_selection`, the last layer defines the selection
/// parameter, which must occur once per chart.
json series_layers(const LineChart& chart, const std::vector<std::string>& names, const Axis& y, bool second,
                   bool any_interval, bool has_selection) {
  std::set<std::string> lined, dotted, dashed, all;
  size_t max_points = 0;
  for (const Series& series : chart.series) {
    const std::string name = valid_utf8(series.name);
    if (series.on_second_axis != second) {
      continue;
    }
    all.insert(name);
    max_points = std::max(max_points, series.points.size());
    if (series.style != SeriesStyle::points) {
      lined.insert(name);
    }
    if (series.style == SeriesStyle::dashed_line) {
      dashed.insert(name);
    }
    if (series.style == SeriesStyle::line_with_points || series.style == SeriesStyle::points) {
      dotted.insert(name);
    }
  }
  const auto only = [&](const std::set<std::string>& kept) {
    json transform = keep_shown();
    if (kept.size() < names.size()) {
      transform.push_back({{"filter", {{"field", "series"}, {"oneOf", kept}}}});
    }
    return transform;
  };
  json tooltips = json::array({tooltip("series", "nominal", or_else(chart.series_title, "series"), ""),
                               tooltip("x", "quantitative", or_else(chart.x.title, "x"), chart.x.format),
                               tooltip("y", "quantitative", or_else(y.title, "y"), y.format)});
  json layers = json::array();
  if (any_interval) {
    add_interval_tooltips(tooltips, y.format);
    json mark = chart.intervals == IntervalStyle::band
                    ? json{{"type", "area"}, {"opacity", kBandOpacity}, {"aria", false}}
                    : json{{"type", "rule"}, {"strokeWidth", 1.5}, {"aria", false}};
    layers.push_back({{"mark", mark},
                      {"transform", only(all)},
                      {"encoding", {{"y", axis_encoding("low", y)}, {"y2", {{"field", "high"}}}}}});
  }
  json y_encoding = axis_encoding("y", y);
  if (second) {
    y_encoding["axis"]["orient"] = "right";
  }
  if (!lined.empty()) {
    json encoding = {{"y", y_encoding}};
    if (!dashed.empty()) {
      encoding["strokeDash"] = dash_encoding(chart.series_title, names, dashed);
    }
    layers.push_back({{"mark", {{"type", "line"}, {"strokeWidth", 2}, {"aria", false}}},
                      {"transform", only(lined)},
                      {"encoding", encoding}});
  }
  if (!dotted.empty()) {
    layers.push_back({{"mark",
                       {{"type", "point"},
                        {"filled", true},
                        {"size", max_points > kManyPoints ? kSmallPoint : kPoint},
                        {"opacity", 1}}},
                      {"transform", only(dotted)},
                      {"encoding",
                       {{"y", y_encoding},
                        {"shape", shape_encoding(chart.series_title, names, dotted)},
                        {"tooltip", tooltips}}}});
  }
  if (has_selection && !layers.empty()) {
    layers.back()["params"] = json::array({shown_series(names)});
  }
  return layers;
}

} // namespace

Chart to_chart(const LineChart& chart) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  json values = json::array();
  bool any_interval = false;
  Table numbers{.columns = {{.name = or_else(chart.series_title, "series"), .key = "series"},
                            number_column(or_else(chart.x.title, "x"), "x"),
                            number_column(or_else(chart.y.title, "y"), "y")}};
  for (const Series& series : chart.series) {
    if (series.on_second_axis && !chart.second_y) {
      throw UsageError("mneme::report::to_chart: series \"" + one_line(series.name) +
                       "\" has on_second_axis, but the chart has no second axis.\n  Set second_y.");
    }
    const Axis& y_axis = series.on_second_axis ? *chart.second_y : chart.y;
    check_name_is_new(seen, series.name);
    names.push_back(valid_utf8(series.name));
    for (const auto& [x, y] : series.points) {
      check_axis(chart.x, "x", x);
      check_axis(y_axis, "y", y.value);
      check_axis(y_axis, "y", y.low);
      numbers.rows.push_back({series.name, x, y});
      if (std::isfinite(x) && is_finite(y)) {
        any_interval = any_interval || has_interval(y);
        values.push_back(
            {{"series", names.back()}, {"x", x}, {"y", y.value}, {"low", y.low}, {"high", y.high}});
      }
    }
  }
  if (!any_interval) {
    drop_intervals(numbers);
  }

  json spec = frame(chart.title, chart.description);
  spec["data"] = {{"values", values}};
  spec["encoding"] = {{"x", axis_encoding("x", chart.x)},
                      {"color", colour_encoding(chart.series_title, names)}};
  spec["layer"] = series_layers(chart, names, chart.y, false, any_interval, true);
  if (chart.second_y) {
    json left = {{"layer", spec["layer"]}, {"encoding", spec["encoding"]}};
    json right = {{"layer", series_layers(chart, names, *chart.second_y, true, any_interval, false)},
                  {"encoding", spec["encoding"]}};
    add_references(left, chart.references, chart.x, chart.y);
    spec["layer"] = json::array({left, right});
    spec["resolve"] = {{"scale", {{"y", "independent"}}}};
    spec.erase("encoding");
  } else {
    add_references(spec, chart.references, chart.x, chart.y);
  }
  return {chart.title, chart.description, std::move(spec), std::move(numbers)};
}

Chart to_chart(const BarChart& chart) {
  std::vector<std::string> categories, names;
  json values = json::array();
  bool any_interval = false;
  Table numbers{.columns = {{.name = or_else(chart.category_title, "category"), .key = "category"},
                            {.name = or_else(chart.series_title, "series"), .key = "series"},
                            number_column(or_else(chart.value.title, "value"), "value")}};
  const auto add = [](std::vector<std::string>& list, std::string name) {
    if (std::find(list.begin(), list.end(), name) == list.end()) {
      list.push_back(std::move(name));
    }
  };
  for (const Bar& bar : chart.bars) {
    check_axis(chart.value, "value", bar.value.value);
    check_axis(chart.value, "value", bar.value.low);
    add(categories, valid_utf8(bar.category));
    add(names, valid_utf8(bar.series));
    numbers.rows.push_back({bar.category, bar.series, bar.value});
    if (is_finite(bar.value)) {
      any_interval = any_interval || has_interval(bar.value);
      values.push_back({{"category", valid_utf8(bar.category)},
                        {"series", valid_utf8(bar.series)},
                        {"value", bar.value.value},
                        {"low", bar.value.low},
                        {"high", bar.value.high}});
    }
  }
  if (!any_interval) {
    drop_intervals(numbers);
  }
  const bool grouped = names.size() > 1;
  if (!grouped) {
    numbers.columns.erase(numbers.columns.begin() + 1);
    for (auto& row : numbers.rows) {
      row.erase(row.begin() + 1);
    }
  }

  json spec = frame(chart.title, chart.description);
  spec["data"] = {{"values", values}};
  spec["height"] = categories.size() * (grouped ? names.size() * kGroupedBar + kBarGap : kBar);
  spec["config"]["axisX"]["grid"] = true;
  spec["config"]["axisY"] = {{"grid", false}, {"domain", false}, {"ticks", false}, {"labelLimit", 220}};
  const bool from_zero = true; // values are read from the lengths of bars
  json category = {{"field", "category"}, {"type", "nominal"}, {"sort", categories}};
  category["title"] = chart.category_title.empty() ? json(nullptr) : json(valid_utf8(chart.category_title));
  spec["encoding"] = {{"y", category}};
  json tooltips =
      json::array({tooltip("category", "nominal", or_else(chart.category_title, "category"), "")});
  if (grouped) {
    spec["encoding"]["yOffset"] = {{"field", "series"}, {"type", "nominal"}, {"sort", names}};
    tooltips.push_back(tooltip("series", "nominal", or_else(chart.series_title, "series"), ""));
  }
  tooltips.push_back(
      tooltip("value", "quantitative", or_else(chart.value.title, "value"), chart.value.format));
  if (any_interval) {
    add_interval_tooltips(tooltips, chart.value.format);
  }
  json bars = {{"mark", {{"type", "bar"}, {"cornerRadiusEnd", 2}}},
               {"params", json::array({shown_series(names)})},
               {"transform", keep_shown()},
               {"encoding",
                {{"x", axis_encoding("value", chart.value, from_zero)},
                 {"color", colour_encoding(chart.series_title, names)},
                 {"tooltip", tooltips}}}};
  if (!grouped) {
    bars.erase("params");
    bars.erase("transform");
  }
  json layers = json::array({bars});
  if (any_interval) {
    json rule = {
        {"mark", {{"type", "rule"}, {"strokeWidth", 1.5}, {"aria", false}}},
        {"transform", keep_shown()},
        {"encoding", {{"x", axis_encoding("low", chart.value, from_zero)}, {"x2", {{"field", "high"}}}}}};
    if (!grouped) {
      rule.erase("transform");
    }
    layers.push_back(rule);
  }
  spec["layer"] = layers;
  return {chart.title, chart.description, std::move(spec), std::move(numbers)};
}

void write_chart(const std::filesystem::path& folder, std::string_view name, const Chart& chart) {
  const bool plain =
      !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-';
      });
  if (!plain) {
    throw UsageError(
        "mneme::report::write_chart: \"" + one_line(name) +
        "\" is not a plain file name.\n  Use letters, digits, '.', '-' and '_', and do not start "
        "with a dot.");
  }
  const std::string csv = to_csv(chart.numbers);
  make_output_folder(folder);
  write_file_atomically(folder / (std::string(name) + ".vl.json"), json_text(chart.spec));
  write_file_atomically(folder / (std::string(name) + ".csv"), csv);
}

} // namespace mneme::report
