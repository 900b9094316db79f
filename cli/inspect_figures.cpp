// SPDX-License-Identifier: MIT

#include "cli/inspect_figures.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "cli/attention_tracks.h"
#include "report/chart_parts.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using nlohmann::json;

constexpr double kLogZero = -1e9;          // replaces log 0 in the page, which computes exp of it
constexpr const char* kColour = "#0072b2"; // of bars and lines in charts with a single series
constexpr int kTrackTicks = 4;
constexpr int kTrackHeight = 150, kRowHeight = 16, kMinHeight = 160, kMaxHeight = 640; // pixels

json finite(std::span<const float> numbers) {
  json list = json::array();
  for (const float number : numbers) {
    list.push_back(std::isfinite(number) ? as_printed(number) : kLogZero);
  }
  return list;
}

/// Data of the charts: the tracks of every head, from which the page computes the matrix of the selected
/// head.
json track_data(const LeapInspection& inspection) {
  json rows = json::array(), positions = json::array();
  for (int64_t i = inspection.from; i < inspection.to; ++i) {
    positions.push_back(i);
  }
  const Bin tile{inspection.from, inspection.to};
  for (const HeadInspection& head : inspection.heads) {
    rows.push_back({{"l", head.layer},
                    {"h", head.head},
                    {"window", head.window},
                    {"decay", head.decay},
                    {"place", positions},
                    {"gate", finite(tile.of(head.gate))},
                    {"weight", finite(tile.of(head.log_weight))},
                    {"denominator", finite(tile.of(head.log_denominator))},
                    {"length", finite(tile.of(head.value_length))}});
  }
  return rows;
}

json calculate(const std::string& formula, const char* name) {
  return {{"calculate", formula}, {"as", name}};
}

/// Vega expression for the name and position of the token in `field`, such as "f (11)".
std::string token_text(const char* field, const LeapInspection& inspection) {
  return fmt::format("words[datum.{0} - {1}] + ' (' + datum.{0} + ')'", field, inspection.from);
}

json selected_head_filter() {
  return {{"filter", "datum.l === layer && datum.h === head"}};
}

json menu(const char* name, const char* label, const json& options, int64_t selected) {
  return {{"name", name},
          {"value", selected},
          {"bind", {{"input", "select"}, {"name", label}, {"options", options}}}};
}

/// The head that the page shows first: the one with the largest effective attention of the last query to one
/// token, among the heads without a window if there are any.
const HeadInspection& initial_head(const LeapInspection& inspection) {
  return *std::ranges::max_element(inspection.heads, {}, [](const HeadInspection& head) {
    return std::pair(head.window == 0, std::abs(head.gate.back()) * std::ranges::max(head.mean_weight));
  });
}

/// Menus of layers and heads.
json head_menus(const LeapInspection& inspection) {
  json layers = json::array(), heads = json::array();
  for (const HeadInspection& head : inspection.heads) {
    if (std::ranges::find(layers, json(head.layer)) == layers.end()) {
      layers.push_back(head.layer);
    }
    if (std::ranges::find(heads, json(head.head)) == heads.end()) {
      heads.push_back(head.head);
    }
  }
  const HeadInspection& initial = initial_head(inspection);
  return json::array(
      {menu("layer", "Layer", layers, initial.layer), menu("head", "Head", heads, initial.head)});
}

/// An axis of token positions, labelled with the names of the tokens.
json token_axis(const char* field, const char* title, const LeapInspection& inspection,
                const TokenNames& names, bool is_horizontal = true) {
  json axis = {{"labelExpr", fmt::format("words[datum.value - {}]", inspection.from)},
               {"labelOverlap", true},
               {"ticks", false},
               {"grid", false},
               {"labelLimit", 90}};
  if (is_horizontal) { // labels longer than two characters are rotated
    axis["labelAngle"] =
        std::ranges::all_of(words_of(inspection, names),
                            [](const std::string& word) { return report::display_width(word) < 3; })
            ? 0
            : -60;
  }
  return {{"field", field}, {"type", "ordinal"}, {"title", title}, {"axis", axis}};
}

json words_parameter(const LeapInspection& inspection, const TokenNames& names) {
  return {{"name", "words"}, {"value", words_of(inspection, names)}};
}

report::Chart matrix_chart(const LeapInspection& inspection, const TokenNames& names) {
  const std::string title = "Attention matrix";
  report::Chart chart{
      .title = title, .description = title + " of queries and tokens.", .spec = {}, .numbers = {}};
  chart.spec = report::frame(title, chart.description);
  chart.spec["height"] =
      std::clamp(kRowHeight * static_cast<int>(inspection.to - inspection.from), kMinHeight, kMaxHeight);
  chart.spec["data"] = {{"values", track_data(inspection)}};
  chart.spec["transform"] = json::array(
      {selected_head_filter(),
       {{"flatten", {"place", "gate", "denominator"}}, {"as", {"reader", "a", "d"}}},
       {{"flatten", {"place", "weight", "length"}}, {"as", {"token", "w", "v"}}},
       {{"filter", "datum.token <= datum.reader && (datum.window === 0 || datum.reader - datum.token < "
                   "datum.window)"}},
       calculate("exp(datum.w - datum.d - datum.decay * (datum.reader - datum.token))", "share"),
       calculate("datum.a * datum.share", "attention"),
       calculate("abs(datum.attention) * datum.v", "contribution"),
       calculate("quantity === 'share' ? datum.share : quantity === 'attention' ? datum.attention : "
                 "datum.contribution",
                 "shown"),
       calculate(token_text("reader", inspection), "reader_text"),
       calculate(token_text("token", inspection), "token_text")});
  json colour = {{"field", "shown"},
                 {"type", "quantitative"},
                 {"title", nullptr},
                 {"legend", {{"orient", "top"}, {"gradientLength", 240}, {"format", ".2~g"}}}};
  // Only the dot-product gate can be negative.
  colour["scale"] = inspection.gate == "dot_product" ? json{{"scheme", "blueorange"}, {"domainMid", 0}}
                                                     : json{{"scheme", "viridis"}, {"domainMin", 0}};
  chart.spec["mark"] = {{"type", "rect"}};
  chart.spec["encoding"] = {
      {"x", token_axis("token", "token", inspection, names)},
      {"y", token_axis("reader", "query", inspection, names, false)},
      {"color", colour},
      {"tooltip",
       json::array({report::tooltip("reader_text", "nominal", "query", ""),
                    report::tooltip("token_text", "nominal", "token", ""),
                    report::tooltip("share", "quantitative", "attention weight", ".4~g"),
                    report::tooltip("attention", "quantitative", "effective attention", ".4~g"),
                    report::tooltip("contribution", "quantitative", "norm of the contribution", ".4~g")})}};
  return chart;
}

/// Bar chart of one track.
report::Chart token_chart(const LeapInspection& inspection, const TokenNames& names, const std::string& title,
                          const char* field, const report::Axis& y) {
  report::Chart chart{.title = title, .description = title, .spec = {}, .numbers = {}};
  chart.spec = report::frame(title, title);
  chart.spec["height"] = kTrackHeight;
  chart.spec["data"] = {{"values", track_data(inspection)}};
  chart.spec["transform"] = json::array({selected_head_filter(),
                                         {{"flatten", {"place", field}}, {"as", {"token", "value"}}},
                                         calculate(token_text("token", inspection), "text")});
  chart.spec["mark"] = {{"type", "bar"}};
  chart.spec["encoding"] = {
      {"x", token_axis("token", "token", inspection, names)},
      {"y", report::axis_encoding("value", y, true)},
      {"color", {{"value", kColour}}},
      {"tooltip", json::array({report::tooltip("text", "nominal", "token", ""),
                               report::tooltip("value", "quantitative", y.title, ".4~g")})}};
  chart.spec["encoding"]["y"]["axis"]["tickCount"] = kTrackTicks;
  return chart;
}

report::Table track_table(const LeapInspection& inspection, const TokenNames& names) {
  report::Table table{.columns = {{.name = "layer"},
                                  {.name = "head"},
                                  {.name = "position"},
                                  {.name = "token"},
                                  {.name = "gate"},
                                  {.name = "log weight", .key = "log_weight"},
                                  {.name = "attention weight", .key = "share"},
                                  {.name = "contribution"}}};
  for (const HeadInspection& head : inspection.heads) {
    for (int64_t i = inspection.from; i < inspection.to; ++i) {
      const auto at = static_cast<size_t>(i);
      table.rows.push_back({head.layer, head.head, i, names(inspection.ids[at]), as_printed(head.gate[at]),
                            as_printed(head.log_weight[at]), as_printed(head.mean_weight[at]),
                            as_printed(head.contribution[at])});
    }
  }
  return table;
}

/// A track of one head, or of the whole model, in bins of tokens.
struct BinTrack {
  int64_t layer = 0, head = 0;
  std::vector<double> value = {}, low = {}, high = {}; ///< one per bin; empty low and high: drawn as bars
  std::vector<std::string> top = {};                   ///< token with the largest value, or empty
};

report::Chart bin_chart(const LeapInspection& inspection, const std::string& title, const report::Axis& y,
                        const std::vector<BinTrack>& tracks) {
  const std::vector<Bin> bins = bins_of(inspection);
  const bool bars = tracks.front().low.empty();
  json rows = json::array();
  for (const BinTrack& track : tracks) {
    for (size_t i = 0; i < bins.size(); ++i) {
      rows.push_back({{"l", track.layer}, {"h", track.head}, {"from", bins[i].from}, {"to", bins[i].to}});
      rows.back()["value"] = as_printed(static_cast<float>(track.value[i]));
      if (bars) {
        rows.back()["most"] = report::valid_utf8(track.top[i]);
      } else {
        rows.back()["low"] = track.low[i];
        rows.back()["high"] = track.high[i];
      }
    }
  }
  report::Chart chart{.title = title, .description = title, .spec = {}, .numbers = {}};
  chart.spec = report::frame(title, title);
  chart.spec["height"] = kTrackHeight;
  chart.spec["data"] = {{"values", rows}};
  const report::Axis x{
      .title = "token", .format = "~s", .range = std::pair(0.0, static_cast<double>(count_of(inspection)))};
  json tooltips = json::array({report::tooltip("from", "quantitative", "from token", "d"),
                               report::tooltip("to", "quantitative", "to (not included)", "d"),
                               report::tooltip("value", "quantitative", y.title, ".4~g")});
  const auto height = [&](const char* field) {
    json encoding = report::axis_encoding(field, y, bars);
    encoding["axis"]["tickCount"] = kTrackTicks;
    return encoding;
  };
  chart.spec["encoding"] = {{"x", report::axis_encoding("from", x)}, {"color", {{"value", kColour}}}};
  if (bars) {
    tooltips.push_back(report::tooltip("most", "nominal", "largest at", ""));
    chart.spec["mark"] = {{"type", "rect"}};
    chart.spec["encoding"].update(
        {{"x2", {{"field", "to"}}}, {"y", height("value")}, {"y2", {{"datum", 0}}}, {"tooltip", tooltips}});
  } else {
    chart.spec["layer"] = json::array({{{"mark", {{"type", "area"}, {"opacity", 0.25}, {"aria", false}}},
                                        {"encoding", {{"y", height("low")}, {"y2", {{"field", "high"}}}}}},
                                       {{"mark", {{"type", "line"}, {"strokeWidth", 1.5}}},
                                        {"encoding", {{"y", height("value")}, {"tooltip", tooltips}}}}});
  }
  return chart;
}

/// The sum of the weights in each bin, and the token with the largest weight.
BinTrack sums_of_bins(const LeapInspection& inspection, const std::vector<float>& weights,
                      const TokenNames& names) {
  BinTrack track;
  for (const Bin& bin : bins_of(inspection)) {
    const int64_t position = top(bin, weights);
    track.value.push_back(sum(bin.of(weights)));
    track.top.push_back(
        fmt::format("{} ({})", names(inspection.ids[static_cast<size_t>(position)]), position));
  }
  return track;
}

/// Mean, minimum and maximum of each bin.
BinTrack means_of_bins(const LeapInspection& inspection, const std::vector<float>& numbers) {
  BinTrack track;
  const auto shown = [](double number) { return std::max(number, kLogZero); };
  for (const Bin& bin : bins_of(inspection)) {
    track.value.push_back(shown(mean(bin.of(numbers))));
    track.low.push_back(shown(as_printed(std::ranges::min(bin.of(numbers)))));
    track.high.push_back(shown(as_printed(std::ranges::max(bin.of(numbers)))));
  }
  return track;
}

} // namespace

std::vector<std::string> words_of(const LeapInspection& inspection, const TokenNames& names) {
  std::vector<std::string> words;
  for (int64_t i = inspection.from; i < inspection.to; ++i) {
    words.push_back(names(inspection.ids[static_cast<size_t>(i)]));
  }
  return words;
}

report::Chart matrix_figure(const LeapInspection& inspection, const TokenNames& names) {
  report::Panels panels{
      .title = "Layer by layer, head by head",
      .description =
          "The attention matrix of queries and tokens, the gate of each query and the focus weight "
          "of each token, for the selected layer and head.",
      .charts = {matrix_chart(inspection, names),
                 token_chart(inspection, names, "Gate of each query", "gate", {.title = "gate"}),
                 token_chart(inspection, names, "Logarithm of the focus weight of each token", "weight",
                             {.title = "log weight"})},
      .stacked = true};
  panels.charts.front().numbers = track_table(inspection, names);
  report::Chart chart = to_chart(panels);
  json params = head_menus(inspection);
  params.push_back({{"name", "quantity"},
                    {"value", "attention"},
                    {"bind",
                     {{"input", "select"},
                      {"name", "Colour"},
                      {"options", {"attention", "share", "contribution"}},
                      {"labels", {"effective attention", "attention weight", "norm of the contribution"}}}}});
  params.push_back(words_parameter(inspection, names));
  chart.spec["params"] = params;
  return chart;
}

report::Chart track_figure(const LeapInspection& inspection, const TokenNames& names) {
  report::Table numbers{.columns = {{.name = "layer"},
                                    {.name = "head"},
                                    {.name = "from token", .key = "from"},
                                    {.name = "to token", .key = "to"},
                                    {.name = "attention weight", .key = "share"},
                                    {.name = "largest at", .key = "top"},
                                    {.name = "gate"},
                                    {.name = "log weight", .key = "log_weight"}}};
  const std::vector<Bin> bins = bins_of(inspection);
  std::vector<BinTrack> attention, weights, gates;
  for (const HeadInspection& head : inspection.heads) {
    attention.push_back(sums_of_bins(inspection, head.mean_weight, names));
    weights.push_back(means_of_bins(inspection, head.log_weight));
    gates.push_back(means_of_bins(inspection, head.gate));
    for (BinTrack* track : {&attention.back(), &weights.back(), &gates.back()}) {
      track->layer = head.layer;
      track->head = head.head;
    }
    for (size_t i = 0; i < bins.size(); ++i) {
      numbers.rows.push_back({head.layer, head.head, bins[i].from, bins[i].to, attention.back().value[i],
                              attention.back().top[i], gates.back().value[i], weights.back().value[i]});
    }
  }
  report::Panels panels{
      .title = "Layer by layer, head by head",
      .description =
          "The attention weights of the last token, and the focus weights and gates along the text, for the "
          "selected layer and head.",
      .charts = {bin_chart(inspection, "Attention weights of the last token, sum of each bin",
                           {.title = "weight"}, attention),
                 bin_chart(inspection, "Logarithm of the focus weights, mean and range of each bin",
                           {.title = "log weight"}, weights),
                 bin_chart(inspection, "Gates, mean and range of each bin", {.title = "gate"}, gates)},
      .stacked = true};
  for (report::Chart& chart : panels.charts) {
    chart.spec["transform"] = json::array({selected_head_filter()});
  }
  panels.charts.front().numbers = std::move(numbers);
  report::Chart chart = to_chart(panels);
  chart.spec["params"] = head_menus(inspection);
  return chart;
}

report::Chart rollout_figure(const LeapInspection& inspection, const TokenNames& names) {
  const std::string title = "Attention rollout of the last token";
  const report::Axis weight_axis{.title = "weight", .format = ".0%"};
  report::Table numbers{
      .columns = {{.name = "position"}, {.name = "token"}, {.name = "weight", .key = "share"}}};
  report::Chart chart{.title = title, .description = title, .spec = {}, .numbers = {}};
  json rows = json::array();
  if (has_matrix(inspection)) {
    for (int64_t i = inspection.from; i < inspection.to; ++i) {
      const auto at = static_cast<size_t>(i);
      const std::string name = names(inspection.ids[at]);
      rows.push_back({{"token", i},
                      {"text", report::valid_utf8(fmt::format("{} ({})", name, i))},
                      {"value", as_printed(inspection.rollout[at])}});
      numbers.rows.push_back({i, name, as_printed(inspection.rollout[at])});
    }
    chart.spec = report::frame(title, title);
    chart.spec["height"] = kTrackHeight;
    chart.spec["params"] = json::array({words_parameter(inspection, names)});
    chart.spec["data"] = {{"values", rows}};
    chart.spec["mark"] = {{"type", "bar"}};
    chart.spec["encoding"] = {
        {"x", token_axis("token", "token", inspection, names)},
        {"y", report::axis_encoding("value", weight_axis, true)},
        {"color", {{"value", kColour}}},
        {"tooltip", json::array({report::tooltip("text", "nominal", "token", ""),
                                 report::tooltip("value", "quantitative", "weight", ".2%")})}};
    chart.spec["encoding"]["y"]["axis"]["tickCount"] = kTrackTicks;
  } else {
    const BinTrack track = sums_of_bins(inspection, inspection.rollout, names);
    chart = bin_chart(inspection, title, weight_axis, {track});
    for (size_t i = 0; i < track.value.size(); ++i) {
      numbers.rows.push_back({bins_of(inspection)[i].from, track.top[i], track.value[i]});
    }
  }
  chart.numbers = std::move(numbers);
  return chart;
}

} // namespace mneme::cli
