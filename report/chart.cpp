// SPDX-License-Identifier: MIT

#include "report/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "report/text.h"

namespace mneme::report {
namespace {

using nlohmann::json;

// Okabe and Ito, "Color Universal Design" (2008), ordered so that neighbours differ in lightness too; its
// yellow and black are left out, as one vanishes on a light page and the other on a dark one.
constexpr std::array kPalette = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"};
// Series also differ in shape, for readers who see no colours. One shape fewer than colours: 42 series differ
// in one of the two.
constexpr std::array kShapes = {"circle", "square", "triangle-up", "diamond", "cross", "triangle-down"};
static_assert(kShapes.size() + 1 == kPalette.size());

constexpr const char* kSchema = "https://vega.github.io/schema/vega-lite/v5.json";
constexpr int kWidth = 640, kHeight = 360;                  // pixels; a page stretches the width to its own
constexpr size_t kBar = 26, kGroupedBar = 14, kBarGap = 12; // pixels
constexpr int kTicks = 8;                                   // about
constexpr double kBandOpacity = 0.16;

std::string valid_utf8(std::string_view text) {
  return encode_utf8(decode_utf8(text));
}

bool is_finite(const Estimate& estimate) {
  return std::isfinite(estimate.value) && std::isfinite(estimate.low) && std::isfinite(estimate.high);
}

bool has_interval(const Estimate& estimate) {
  return estimate.low < estimate.high;
}

json axis_encoding(const char* field, const Axis& axis, bool from_zero = false) {
  json encoding = {{"field", field}, {"type", "quantitative"}, {"title", valid_utf8(axis.title)}};
  encoding["scale"] = {{"zero", from_zero}, {"nice", !axis.range.has_value()}};
  if (axis.logarithmic) {
    encoding["scale"]["type"] = "log";
    encoding["scale"].erase("zero");
  }
  if (axis.range) {
    encoding["scale"]["domain"] = {axis.range->first, axis.range->second};
  }
  encoding["axis"] = {{"tickCount", kTicks}};
  if (!axis.format.empty()) {
    encoding["axis"]["format"] = valid_utf8(axis.format);
  }
  return encoding;
}

json series_scale(const std::vector<std::string>& names, const auto& looks) {
  json range = json::array();
  for (size_t i = 0; i < names.size(); ++i) {
    range.push_back(looks[i % looks.size()]);
  }
  return {{"domain", names}, {"range", range}};
}

json series_encoding(const std::string& title, const std::vector<std::string>& names, const auto& looks) {
  json encoding = {{"field", "series"}, {"type", "nominal"}, {"scale", series_scale(names, looks)}};
  encoding["title"] = title.empty() ? json(nullptr) : json(valid_utf8(title));
  if (names.size() < 2) {
    encoding["legend"] = nullptr;
  } else {
    encoding["legend"] = {{"orient", "bottom"}, {"labelLimit", 320}, {"symbolOpacity", 1}};
  }
  return encoding;
}

/// A selection that begins with every series and loses or regains the one whose legend entry is clicked.
json shown_series(const std::vector<std::string>& names) {
  json all = json::array();
  for (const std::string& name : names) {
    all.push_back({{"series", name}});
  }
  return {{"name", "shown"},
          {"select", {{"type", "point"}, {"fields", {"series"}}, {"toggle", "true"}, {"clear", false}}},
          {"bind", "legend"},
          {"value", all}};
}

json keep_shown() {
  return json::array({{{"filter", {{"param", "shown"}, {"empty", false}}}}});
}

json tooltip(const char* field, const char* type, const std::string& title, const std::string& format) {
  json entry = {{"field", field}, {"type", type}, {"title", valid_utf8(title)}};
  if (!format.empty()) {
    entry["format"] = valid_utf8(format);
  }
  return entry;
}

void add_interval_tooltips(json& tooltips, const std::string& format) {
  tooltips.push_back(tooltip("low", "quantitative", "95 % interval from", format));
  tooltips.push_back(tooltip("high", "quantitative", "to", format));
}

json frame(const std::string& title, const std::string& description) {
  return {{"$schema", kSchema},
          {"title", {{"text", valid_utf8(title)}, {"anchor", "start"}}},
          {"description", valid_utf8(description)},
          {"width", kWidth},
          {"height", kHeight},
          {"config",
           {{"view", {{"stroke", nullptr}}},
            {"axis", {{"gridOpacity", 0.5}, {"titlePadding", 10}, {"labelPadding", 6}, {"tickSize", 4}}},
            {"axisX", {{"grid", false}}},
            {"legend", {{"symbolSize", 90}, {"columnPadding", 18}}}}}};
}

void check_axis(const Axis& axis, const char* side, double value) {
  if (axis.logarithmic && !(value > 0) && std::isfinite(value)) {
    throw UsageError("mneme::report::to_chart: the " + std::string(side) + " axis \"" + one_line(axis.title) +
                     "\" is logarithmic, but a number on it is " + exact_number(value) +
                     ".\n  Leave the point out, or make the axis linear.");
  }
}

void check_name_is_new(std::set<std::string>& seen, const std::string& name) {
  if (!seen.insert(name).second) {
    throw UsageError("mneme::report::to_chart: two series are called \"" + one_line(name) +
                     "\".\n  The legend and the CSV tell series apart by name: give each its own.");
  }
}

Column number_column(const std::string& name, const char* key) {
  return {.name = name, .key = key, .notation = Notation::automatic, .digits = 4};
}

/// Without any interval the numbers need no columns for them.
void drop_intervals(Table& numbers) {
  for (auto& row : numbers.rows) {
    row.back() = std::get<Estimate>(row.back()).value;
  }
}

std::string or_else(const std::string& text, const char* fallback) {
  return text.empty() ? fallback : text;
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
    check_name_is_new(seen, series.name);
    names.push_back(valid_utf8(series.name));
    for (const auto& [x, y] : series.points) {
      check_axis(chart.x, "x", x);
      check_axis(chart.y, "y", y.value);
      check_axis(chart.y, "y", y.low);
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
                      {"color", series_encoding(chart.series_title, names, kPalette)}};
  json tooltips = json::array({tooltip("series", "nominal", or_else(chart.series_title, "series"), ""),
                               tooltip("x", "quantitative", or_else(chart.x.title, "x"), chart.x.format),
                               tooltip("y", "quantitative", or_else(chart.y.title, "y"), chart.y.format)});
  json layers = json::array();
  if (any_interval) {
    add_interval_tooltips(tooltips, chart.y.format);
    json mark = chart.intervals == IntervalStyle::band
                    ? json{{"type", "area"}, {"opacity", kBandOpacity}, {"aria", false}}
                    : json{{"type", "rule"}, {"strokeWidth", 1.5}, {"aria", false}};
    layers.push_back({{"mark", mark},
                      {"transform", keep_shown()},
                      {"encoding", {{"y", axis_encoding("low", chart.y)}, {"y2", {{"field", "high"}}}}}});
  }
  const json y = axis_encoding("y", chart.y);
  layers.push_back({{"mark", {{"type", "line"}, {"strokeWidth", 2}, {"aria", false}}},
                    {"transform", keep_shown()},
                    {"encoding", {{"y", y}}}});
  layers.push_back(
      {{"mark", {{"type", "point"}, {"filled", true}, {"size", 60}, {"opacity", 1}}},
       {"params", json::array({shown_series(names)})},
       {"transform", keep_shown()},
       {"encoding",
        {{"y", y}, {"shape", series_encoding(chart.series_title, names, kShapes)}, {"tooltip", tooltips}}}});
  spec["layer"] = layers;
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
  const bool from_zero = true; // The length of a bar is what is read.
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
                 {"color", series_encoding(chart.series_title, names, kPalette)},
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
    throw UsageError("mneme::report::write_chart: \"" + one_line(name) +
                     "\" is no plain file name.\n  Use letters, digits, dot, dash and underline, not "
                     "beginning with a dot.");
  }
  const std::string csv = to_csv(chart.numbers);
  make_output_folder(folder);
  write_file_atomically(folder / (std::string(name) + ".vl.json"), chart.spec.dump(2) + "\n");
  write_file_atomically(folder / (std::string(name) + ".csv"), csv);
}

} // namespace mneme::report
