// SPDX-License-Identifier: MIT

#include "report/chart_parts.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "mneme/core/error.h"
#include "report/text.h"

namespace mneme::report {

using nlohmann::json;

namespace {

// Palette of Okabe and Ito, "Color Universal Design" (2008), ordered so that neighbours also differ in
// lightness; without its yellow and black, which are invisible on a light or a dark page, respectively.
constexpr std::array kPalette = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"};
// Series also differ in shape, for readers who cannot distinguish colours. There is one shape fewer than
// colours, so that 42 series have distinct pairs.
// They are paths with a radius of about 0.35 in a box of width 2, so that they have the size of a point in a
// legend whose symbols have the length of a dashed line.
constexpr std::array kShapes = {
    "M.35,0A.35,.35,0,1,1,-.35,0A.35,.35,0,1,1,.35,0Z", // circle
    "M-.31,-.31L.31,-.31L.31,.31L-.31,.31Z",            // square
    "M0,-.42L.4,.3L-.4,.3Z",                            // triangle, up
    "M0,-.45L.37,0L0,.45L-.37,0Z",                      // diamond
    "M-.13,-.4L.13,-.4L.13,-.13L.4,-.13L.4,.13L.13,.13L.13,.4L-.13,.4L-.13,.13L-.4,.13L-.4,-.13L-.13,-.13Z",
    "M0,.42L.4,-.3L-.4,-.3Z"}; // triangle, down
static_assert(kShapes.size() + 1 == kPalette.size());

constexpr const char* kSchema = "https://vega.github.io/schema/vega-lite/v5.json";
constexpr int kHeight = 360;                        // pixels
constexpr const char* kLineColour = "#8a9099";      // axes; visible on light and dark backgrounds
constexpr const char* kReferenceColour = "#d0342c"; // readable on light and dark backgrounds
constexpr std::array kDash = {6, 4};
// 26 pixels: three dashes and two gaps, so that dashed lines are symmetrical in a legend.
constexpr int kLineSymbol = 26 * 26, kBoxSymbol = 120; // square pixels
constexpr int kLetter = 7, kLegendSymbol = 50;         // pixels: mean width, and symbol with its gaps

} // namespace

SeriesStyle style_of_series(size_t index) {
  return index / kPalette.size() % 2 == 0 ? SeriesStyle::line_with_points : SeriesStyle::dashed_line;
}

std::string valid_utf8(std::string_view text) {
  return encode_utf8(decode_utf8(text));
}

bool is_finite(const Estimate& estimate) {
  return std::isfinite(estimate.value) && std::isfinite(estimate.low) && std::isfinite(estimate.high);
}

bool has_interval(const Estimate& estimate) {
  return estimate.low < estimate.high;
}

Estimate clipped(Estimate estimate, const Axis& axis) {
  if (axis.limits) {
    estimate.low = std::max(estimate.low, std::min(axis.limits->first, estimate.value));
    estimate.high = std::min(estimate.high, std::max(axis.limits->second, estimate.value));
  }
  return estimate;
}

Axis fraction_axis(std::string title) {
  return {.title = std::move(title), .format = ".0%", .limits = std::pair(0.0, 1.0)};
}

json axis_encoding(const char* field, const Axis& axis, bool from_zero) {
  return axis_encoding(field, FittedAxis{axis, {}}, from_zero);
}

json axis_encoding(const char* field, const FittedAxis& fitted, bool from_zero) {
  const Axis& axis = fitted.axis;
  json encoding = {{"field", field}, {"type", "quantitative"}, {"title", valid_utf8(axis.title)}};
  encoding["scale"] = {{"zero", from_zero}, {"nice", !axis.range.has_value()}};
  if (axis.logarithmic) {
    encoding["scale"]["type"] = "log";
    encoding["scale"].erase("zero");
  }
  if (axis.range) {
    encoding["scale"]["domain"] = {axis.range->first, axis.range->second};
  }
  // Without labelFlush, the last label is not moved towards the one before it.
  encoding["axis"] = {
      {"tickCount", kTicks}, {"labelFlush", false}, {"labelOverlap", true}, {"labelSeparation", 6}};
  if (!fitted.ticks.empty()) {
    encoding["axis"]["values"] = fitted.ticks;
  }
  if (!axis.format.empty()) {
    encoding["axis"]["format"] = valid_utf8(axis.format);
  }
  return encoding;
}

namespace {

json series_scale(const std::vector<std::string>& names, const auto& values) {
  json range = json::array();
  for (size_t i = 0; i < names.size(); ++i) {
    range.push_back(values[i % values.size()]);
  }
  return {{"domain", names}, {"range", range}};
}

json series_encoding(const std::string& title, const std::vector<std::string>& names, json scale,
                     LegendSymbols symbols = LegendSymbols::lines) {
  json encoding = {{"field", "series"}, {"type", "nominal"}, {"scale", std::move(scale)}};
  encoding["title"] = title.empty() ? json(nullptr) : json(valid_utf8(title));
  if (names.size() < 2) {
    encoding["legend"] = nullptr;
  } else {
    encoding["legend"] = {{"orient", "bottom"},
                          {"labelLimit", 320},
                          {"symbolOpacity", 1},
                          {"symbolSize", symbols == LegendSymbols::lines ? kLineSymbol : kBoxSymbol},
                          {"symbolStrokeWidth", symbols == LegendSymbols::lines ? 2 : 0}};
  }
  return encoding;
}

} // namespace

json colour_encoding(const std::string& title, const std::vector<std::string>& names, LegendSymbols symbols) {
  return series_encoding(title, names, series_scale(names, kPalette), symbols);
}

json shape_encoding(const std::string& title, const std::vector<std::string>& names,
                    const std::set<std::string>& dotted) {
  json scale = series_scale(names, kShapes);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!dotted.contains(names[i])) {
      scale["range"][i] = "stroke"; // legend symbol of a line without points
    }
  }
  return series_encoding(title, names, std::move(scale));
}

json dash_encoding(const std::string& title, const std::vector<std::string>& names,
                   const std::set<std::string>& dashed) {
  json range = json::array();
  for (const std::string& name : names) {
    range.push_back(dashed.contains(name) ? json(kDash) : json{1, 0});
  }
  return series_encoding(title, names, {{"domain", names}, {"range", range}});
}

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
  return {
      {"$schema", kSchema},
      {"title", {{"text", valid_utf8(title)}, {"anchor", "start"}}},
      {"description", valid_utf8(description)},
      {"width", kWidth},
      {"height", kHeight},
      {"config",
       {{"view", {{"stroke", nullptr}}},
        {"title", {{"fontSize", 14}, {"fontWeight", 600}}},
        {"axis",
         {{"titlePadding", 10},
          {"labelPadding", 6},
          {"tickSize", 4},
          {"labelFontSize", 12},
          {"titleFontSize", 12},
          {"titleFontWeight", 500},
          {"domainColor", kLineColour},
          {"tickColor", kLineColour},
          {"gridColor", kLineColour},
          {"gridOpacity", 0.25}}},
        {"axisX", {{"grid", false}}},
        {"legend",
         {{"columnPadding", 18}, {"labelFontSize", 12}, {"titleFontSize", 12}, {"titleFontWeight", 500}}}}}};
}

void set_legend_columns(json& spec, int width) {
  if (spec.is_object() && spec.contains("legend") && spec["legend"].is_object() && spec.contains("scale") &&
      spec["scale"].value("domain", json()).is_array() && spec["legend"].value("orient", "") == "bottom") {
    size_t longest = 1;
    for (const json& name : spec["scale"]["domain"]) {
      longest = std::max(longest, name.is_string() ? decode_utf8(name.get<std::string>()).size() : 1);
    }
    const int columns = width / (static_cast<int>(longest) * kLetter + kLegendSymbol);
    spec["legend"]["columns"] = std::clamp(columns, 1, static_cast<int>(spec["scale"]["domain"].size()));
  }
  for (auto& [key, value] : spec.items()) {
    if (key != "data" && value.is_structured()) {
      set_legend_columns(value, width);
    }
  }
}

void check_axis(const Axis& axis, const char* side, double value) {
  if (axis.logarithmic && !(value > 0) && std::isfinite(value)) {
    throw UsageError("mneme::report::to_chart: the " + std::string(side) + " axis \"" + one_line(axis.title) +
                     "\" is logarithmic, but one of its values is " + exact_number(value) +
                     ".\n  Remove the point, or make the axis linear.");
  }
}

void check_name_is_new(std::set<std::string>& seen, const std::string& name) {
  if (!seen.insert(name).second) {
    throw UsageError("mneme::report::to_chart: two series are named \"" + one_line(name) +
                     "\".\n  Legend and CSV identify series by name: use unique names.");
  }
}

std::string column_key(const std::string& title, const char* fallback) {
  std::string key;
  for (const char c : title) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (is_plain) {
      key += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    } else if (c == '%') {
      key += "percent";
    } else if (!key.empty() && key.back() != '_') {
      key += '_';
    }
  }
  key.resize(key.find_last_not_of('_') + 1);
  return key.empty() ? fallback : key;
}

void make_keys_unique(Table& numbers) {
  std::set<std::string> taken;
  for (Column& column : numbers.columns) {
    while (!taken.insert(column.key).second) {
      column.key += "_2";
    }
  }
}

Column number_column(const std::string& name, const char* key) {
  return {.name = name, .key = column_key(name, key), .notation = Notation::automatic, .digits = 4};
}

void drop_intervals(Table& numbers) {
  for (auto& row : numbers.rows) {
    row.back() = std::get<Estimate>(row.back()).value;
  }
}

std::string or_else(const std::string& text, const char* fallback) {
  return text.empty() ? fallback : text;
}

namespace {

/// True if a label on the left of a vertical line at `at` would cover the y axis.
bool is_near_start(const Axis& axis, double at) {
  constexpr double kLabel = 18.0 / kWidth; // height of a label, as a fraction of the width
  if (!axis.range) {
    return false;
  }
  auto [low, high] = *axis.range;
  if (axis.logarithmic) {
    low = std::log(low);
    high = std::log(high);
    at = std::log(at);
  }
  return at - low < kLabel * (high - low);
}

} // namespace

std::vector<json> reference_layers(std::span<const Reference> references, const FittedAxis& x,
                                   const FittedAxis& y) {
  std::vector<json> layers;
  for (const bool horizontal : {false, true}) {
    json values = json::array();
    for (const Reference& reference : references) {
      if (reference.horizontal == horizontal) {
        check_axis(horizontal ? y.axis : x.axis, horizontal ? "y" : "x", reference.at);
        values.push_back({{"at", reference.at}, {"label", valid_utf8(reference.label)}});
      }
    }
    if (values.empty()) {
      continue;
    }
    const char* channel = horizontal ? "y" : "x";
    const json position = axis_encoding("at", horizontal ? y : x);
    const json data = {{"values", values}};
    layers.push_back(
        {{"data", data},
         {"mark", {{"type", "rule"}, {"strokeDash", kDash}, {"strokeWidth", 1.5}, {"aria", false}}},
         {"encoding", {{channel, position}, {"color", {{"value", kReferenceColour}}}}}});
    const auto add_labels = [&](const json& labelled, const char* suffix, bool is_after_line) {
      json mark = {{"type", "text"},
                   {"fontSize", 11},
                   {"align", "right"},
                   {"baseline", is_after_line ? "top" : "bottom"},
                   {"dy", is_after_line ? 3 : -3}};
      json end = {{"value", 4}};
      if (horizontal) {
        end["value"] = "width";
      } else {
        mark["angle"] = 270; // along the line, ending at its top
      }
      // page.css outlines the labels of layers with this prefix
      layers.push_back({{"name", std::string("reference_") + channel + suffix},
                        {"data", {{"values", labelled}}},
                        {"mark", mark},
                        {"encoding",
                         {{channel, position},
                          {horizontal ? "x" : "y", end},
                          {"text", {{"field", "label"}, {"type", "nominal"}}},
                          {"color", {{"value", kReferenceColour}}}}}});
    };
    json before = json::array(), after = json::array();
    for (const json& value : values) {
      (!horizontal && is_near_start(x.axis, value["at"]) ? after : before).push_back(value);
    }
    if (!before.empty()) {
      add_labels(before, "", false);
    }
    if (!after.empty()) {
      add_labels(after, "_after", true);
    }
  }
  return layers;
}

void add_references(json& spec, std::span<const Reference> references, const FittedAxis& x,
                    const FittedAxis& y) {
  const std::vector<json> lines = reference_layers(references, x, y);
  if (lines.empty()) {
    return;
  }
  // The encoding moves into the layer of the series, so that reference lines do not inherit it.
  json layers = json::array({{{"encoding", spec["encoding"]}, {"layer", spec["layer"]}}});
  for (const json& line : lines) {
    layers.push_back(line);
  }
  spec.erase("encoding");
  spec["layer"] = layers;
}

} // namespace mneme::report
