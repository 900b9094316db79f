// SPDX-License-Identifier: MIT

#include "report/chart_parts.h"

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
constexpr std::array kShapes = {"circle", "square", "triangle-up", "diamond", "cross", "triangle-down"};
static_assert(kShapes.size() + 1 == kPalette.size());

constexpr const char* kSchema = "https://vega.github.io/schema/vega-lite/v5.json";
constexpr int kWidth = 640, kHeight = 360;          // pixels; a page stretches charts to its own width
constexpr int kTicks = 8;                           // approximate
constexpr const char* kReferenceColour = "#d0342c"; // readable on light and dark backgrounds
constexpr std::array kDash = {6, 4};
constexpr const char* kBetweenPowersOfTen =
    "abs(log(datum.value) / LN10 - round(log(datum.value) / LN10)) > 1e-6";

} // namespace

std::string valid_utf8(std::string_view text) {
  return encode_utf8(decode_utf8(text));
}

bool is_finite(const Estimate& estimate) {
  return std::isfinite(estimate.value) && std::isfinite(estimate.low) && std::isfinite(estimate.high);
}

bool has_interval(const Estimate& estimate) {
  return estimate.low < estimate.high;
}

json axis_encoding(const char* field, const Axis& axis, bool from_zero) {
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
  if (axis.logarithmic) { // grid lines at powers of ten only; values between them have ticks
    encoding["axis"]["gridOpacity"] = {{"condition", {{"test", kBetweenPowersOfTen}, {"value", 0}}},
                                       {"value", 1}};
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

json series_encoding(const std::string& title, const std::vector<std::string>& names, json scale) {
  json encoding = {{"field", "series"}, {"type", "nominal"}, {"scale", std::move(scale)}};
  encoding["title"] = title.empty() ? json(nullptr) : json(valid_utf8(title));
  if (names.size() < 2) {
    encoding["legend"] = nullptr;
  } else {
    encoding["legend"] = {{"orient", "bottom"}, {"labelLimit", 320}, {"symbolOpacity", 1}};
  }
  return encoding;
}

} // namespace

json colour_encoding(const std::string& title, const std::vector<std::string>& names) {
  return series_encoding(title, names, series_scale(names, kPalette));
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

Column number_column(const std::string& name, const char* key) {
  return {.name = name, .key = key, .notation = Notation::automatic, .digits = 4};
}

void drop_intervals(Table& numbers) {
  for (auto& row : numbers.rows) {
    row.back() = std::get<Estimate>(row.back()).value;
  }
}

std::string or_else(const std::string& text, const char* fallback) {
  return text.empty() ? fallback : text;
}

std::vector<json> reference_layers(std::span<const Reference> references, const Axis& x, const Axis& y) {
  std::vector<json> layers;
  for (const bool horizontal : {false, true}) {
    json values = json::array();
    for (const Reference& reference : references) {
      if (reference.horizontal == horizontal) {
        check_axis(horizontal ? y : x, horizontal ? "y" : "x", reference.at);
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
    json mark = {{"type", "text"}, {"fontSize", 11}, {"align", "right"}, {"baseline", "bottom"}, {"dy", -3}};
    json end = {{"value", 4}};
    if (horizontal) {
      end["value"] = "width";
    } else {
      mark["angle"] = 270; // along the line, ending at its top
    }
    layers.push_back({{"data", data},
                      {"mark", mark},
                      {"encoding",
                       {{channel, position},
                        {horizontal ? "x" : "y", end},
                        {"text", {{"field", "label"}, {"type", "nominal"}}},
                        {"color", {{"value", kReferenceColour}}}}}});
  }
  return layers;
}

void add_references(json& spec, std::span<const Reference> references, const Axis& x, const Axis& y) {
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
