// SPDX-License-Identifier: MIT

#include "report/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <map>
#include <set>
#include <system_error>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "report/chart_parts.h"
#include "report/json_text.h"
#include "report/text.h"

namespace mneme::report {

using nlohmann::json;

namespace {

constexpr size_t kBar = 26, kGroupedBar = 14, kBarGap = 12, kLine = 15; // pixels
constexpr int64_t kCategoryWidth = 24;                                  // characters of a line of a label
constexpr double kBandOpacity = 0.16;
constexpr size_t kManyPoints = 60;

/// Layers of the series on one of the y axes. With `has_selection`, the last layer defines the selection
/// parameter, which must occur once per chart.
json series_layers(const LineChart& chart, const std::vector<std::string>& names, const FittedAxis& x,
                   const FittedAxis& y, bool second, bool any_interval, bool has_selection) {
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
                               tooltip("x", "quantitative", or_else(x.axis.title, "x"), x.axis.format),
                               tooltip("y", "quantitative", or_else(y.axis.title, "y"), y.axis.format)});
  json layers = json::array();
  if (any_interval) {
    add_interval_tooltips(tooltips, y.axis.format);
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
    y_encoding["axis"]["grid"] = false; // the grid belongs to the axis on the left
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
                        {"size", max_points > kManyPoints ? kSmallPointSize : kPointSize},
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

/// Content of a file; empty if it cannot be read.
std::string text_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Removes the files of a figure that exist.
void remove_files(const std::filesystem::path& folder, std::string_view name,
                  std::initializer_list<const char*> extensions) {
  for (const char* extension : extensions) {
    std::error_code ignored;
    std::filesystem::remove(folder / (std::string(name) + extension), ignored);
  }
}

/// Number of lines of the longest label.
size_t max_lines(const std::vector<std::string>& categories) {
  size_t lines = 1;
  for (const std::string& category : categories) {
    lines = std::max(lines, wrap(one_line(category), kCategoryWidth).size());
  }
  return lines;
}

/// Axis of categories: long names are wrapped, and the title is above the names.
json category_axis(const std::vector<std::string>& categories) {
  json lines = json::object();
  std::map<size_t, json> names_by_lines;
  for (const std::string& category : categories) {
    lines[category] = wrap(one_line(category), kCategoryWidth);
    if (lines[category].size() > 1) {
      names_by_lines[lines[category].size()].push_back(category);
    }
  }
  json axis = {
      {"labelLimit", 0},      {"labelLineHeight", kLine},  {"titleAngle", 0}, {"titleAlign", "right"},
      {"titleAnchor", "end"}, {"titleBaseline", "bottom"}, {"titleX", -6},    {"titleY", -4}};
  if (!names_by_lines.empty()) {
    axis["labelExpr"] = "(" + lines.dump() + ")[datum.label]";
    // Labels of several lines are drawn downwards from the middle of their bars.
    json conditions = json::array();
    for (const auto& [count, names] : names_by_lines) {
      conditions.push_back({{"test", "indexof(" + names.dump() + ", datum.label) >= 0"},
                            {"value", -static_cast<double>((count - 1) * kLine) / 2}});
    }
    axis["labelOffset"] = {{"condition", conditions}, {"value", 0}};
  }
  return axis;
}

} // namespace

Chart to_chart(const LineChart& chart) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  json values = json::array();
  bool any_interval = false;
  std::vector<double> xs, ys, second_ys;
  for (const Reference& reference : chart.references) {
    (reference.horizontal ? ys : xs).push_back(reference.at);
  }
  Table numbers{.columns = {{.name = or_else(chart.series_title, "series"),
                             .key = column_key(chart.series_title, "series")},
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
    for (const auto& [x, estimate] : series.points) {
      const Estimate y = clipped(estimate, y_axis);
      check_axis(chart.x, "x", x);
      check_axis(y_axis, "y", y.value);
      check_axis(y_axis, "y", y.low);
      numbers.rows.push_back({series.name, x, y});
      if (std::isfinite(x) && is_finite(y)) {
        any_interval = any_interval || has_interval(y);
        xs.push_back(x);
        std::ranges::copy(std::array{y.low, y.value, y.high},
                          std::back_inserter(series.on_second_axis ? second_ys : ys));
        values.push_back(
            {{"series", names.back()}, {"x", x}, {"y", y.value}, {"low", y.low}, {"high", y.high}});
      }
    }
  }
  if (chart.second_y) {
    numbers.columns.back().name += " or " + or_else(chart.second_y->title, "y2");
    numbers.columns.back().key += "_or_" + column_key(chart.second_y->title, "y2");
  }
  make_keys_unique(numbers);
  if (!any_interval) {
    drop_intervals(numbers);
  }

  json spec = frame(chart.title, chart.description);
  spec["data"] = {{"values", values}};
  const FittedAxis x = fit_axis(chart.x, xs, AxisEnds::values), y = fit_axis(chart.y, ys, AxisEnds::ticks);
  json colour = colour_encoding(chart.series_title, names);
  const auto is_line = [](const Series& series) {
    return series.style == SeriesStyle::line || series.style == SeriesStyle::dashed_line;
  };
  if (colour["legend"].is_object() && std::ranges::all_of(chart.series, is_line)) {
    colour["legend"]["symbolType"] = "stroke"; // else circles of the size of these lines, next to bands
  }
  spec["encoding"] = {{"x", axis_encoding("x", x)}, {"color", colour}};
  spec["layer"] = series_layers(chart, names, x, y, false, any_interval, true);
  if (chart.second_y) {
    json left = {{"layer", spec["layer"]}, {"encoding", spec["encoding"]}};
    const FittedAxis second = fit_axis(*chart.second_y, second_ys, AxisEnds::ticks);
    json right = {{"layer", series_layers(chart, names, x, second, true, any_interval, false)},
                  {"encoding", spec["encoding"]}};
    add_references(left, chart.references, x, y);
    spec["layer"] = json::array({left, right});
    spec["resolve"] = {{"scale", {{"y", "independent"}}}};
    spec.erase("encoding");
  } else {
    add_references(spec, chart.references, x, y);
  }
  set_legend_columns(spec, kWidth);
  return {chart.title, chart.description, std::move(spec), std::move(numbers)};
}

Chart to_chart(const BarChart& chart) {
  std::vector<std::string> categories, names;
  json values = json::array();
  bool any_interval = false;
  std::vector<double> ends = {0};
  Table numbers{.columns = {{.name = or_else(chart.category_title, "category"),
                             .key = column_key(chart.category_title, "category")},
                            {.name = or_else(chart.series_title, "series"),
                             .key = column_key(chart.series_title, "series")},
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
    const Estimate value = clipped(bar.value, chart.value);
    numbers.rows.push_back({bar.category, bar.series, value});
    if (is_finite(value)) {
      any_interval = any_interval || has_interval(value);
      std::ranges::copy(std::array{value.low, value.value, value.high}, std::back_inserter(ends));
      values.push_back({{"category", valid_utf8(bar.category)},
                        {"series", valid_utf8(bar.series)},
                        {"value", value.value},
                        {"low", value.low},
                        {"high", value.high}});
    }
  }
  if (!any_interval) {
    drop_intervals(numbers);
  }
  make_keys_unique(numbers);
  const bool grouped = names.size() > 1;
  if (!grouped) {
    numbers.columns.erase(numbers.columns.begin() + 1);
    for (auto& row : numbers.rows) {
      row.erase(row.begin() + 1);
    }
  }

  json spec = frame(chart.title, chart.description);
  spec["data"] = {{"values", values}};
  const size_t bar = grouped ? names.size() * kGroupedBar + kBarGap : kBar;
  spec["height"] = categories.size() * std::max(bar, max_lines(categories) * kLine + kBarGap / 2);
  spec["config"]["axisX"]["grid"] = true;
  spec["config"]["axisY"] = {{"grid", false}, {"domain", false}, {"ticks", false}};
  const bool from_zero = true; // values are read from the lengths of bars
  const FittedAxis length = fit_axis(chart.value, ends, AxisEnds::ticks);
  json category = {
      {"field", "category"}, {"type", "nominal"}, {"sort", categories}, {"axis", category_axis(categories)}};
  category["title"] = chart.category_title.empty() ? json(nullptr) : json(valid_utf8(chart.category_title));
  spec["encoding"] = {{"y", category}};
  json tooltips =
      json::array({tooltip("category", "nominal", or_else(chart.category_title, "category"), "")});
  if (grouped) {
    spec["encoding"]["yOffset"] = {{"field", "series"}, {"type", "nominal"}, {"sort", names}};
    tooltips.push_back(tooltip("series", "nominal", or_else(chart.series_title, "series"), ""));
  }
  tooltips.push_back(
      tooltip("value", "quantitative", or_else(chart.value.title, "value"), length.axis.format));
  if (any_interval) {
    add_interval_tooltips(tooltips, length.axis.format);
  }
  json bars = {{"mark", {{"type", "bar"}, {"cornerRadiusEnd", 2}}},
               {"params", json::array({shown_series(names)})},
               {"transform", keep_shown()},
               {"encoding",
                {{"x", axis_encoding("value", length, from_zero)},
                 {"color", colour_encoding(chart.series_title, names, LegendSymbols::boxes)},
                 {"tooltip", tooltips}}}};
  if (!grouped) {
    bars.erase("params");
    bars.erase("transform");
  }
  json layers = json::array({bars});
  if (any_interval) {
    json rule = {{"mark", {{"type", "rule"}, {"strokeWidth", 1.5}, {"aria", false}}},
                 {"transform", keep_shown()},
                 {"encoding", {{"x", axis_encoding("low", length, from_zero)}, {"x2", {{"field", "high"}}}}}};
    if (!grouped) {
      rule.erase("transform");
    }
    layers.push_back(rule);
  }
  spec["layer"] = layers;
  set_legend_columns(spec, kWidth);
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
  const std::string csv = to_csv(chart.numbers), spec = json_text(chart.spec);
  make_output_folder(folder);
  const std::filesystem::path spec_path = folder / (std::string(name) + ".vl.json");
  if (text_of_file(spec_path) != spec) {
    remove_files(folder, name, {".svg", ".png", ".pdf"});
  }
  write_file_atomically(spec_path, spec);
  write_file_atomically(folder / (std::string(name) + ".csv"), csv);
}

void remove_chart(const std::filesystem::path& folder, std::string_view name) {
  remove_files(folder, name, {".vl.json", ".csv", ".svg", ".png", ".pdf"});
}

} // namespace mneme::report
