// SPDX-License-Identifier: MIT

#include "cli/inspect_figures.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "cli/look_tracks.h"
#include "report/chart_parts.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using nlohmann::json;

constexpr double kNoWeight = -1e9;         // stands for log 0 where a page computes exp of it
constexpr const char* kColour = "#0072b2"; // of bars and lines that are alone
constexpr int kTrackTicks = 4;
constexpr int kTrackHeight = 150, kRowHeight = 16, kLeastHeight = 160, kMostHeight = 640; // pixels

json finite(std::span<const float> numbers) {
  json list = json::array();
  for (const float number : numbers) {
    list.push_back(std::isfinite(number) ? as_printed(number) : kNoWeight);
  }
  return list;
}

/// What a page gets of every head: its tracks, from which it computes any matrix itself.
json track_data(const Look& look) {
  json rows = json::array(), places = json::array();
  for (int64_t i = look.from; i < look.to; ++i) {
    places.push_back(i);
  }
  const Bin tile{look.from, look.to};
  for (const HeadLook& head : look.heads) {
    rows.push_back({{"l", head.layer},
                    {"h", head.head},
                    {"window", head.window},
                    {"decay", head.decay},
                    {"place", places},
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

/// What a page shows of the token in `field`: its name and position.
std::string named(const char* field, const Look& look) {
  return fmt::format("words[datum.{0} - {1}] + ' (' + datum.{0} + ')'", field, look.from);
}

json chosen_head() {
  return {{"filter", "datum.l === layer && datum.h === head"}};
}

json choice(const char* name, const char* label, const json& options, int64_t first) {
  return {{"name", name},
          {"value", first},
          {"bind", {{"input", "select"}, {"name", label}, {"options", options}}}};
}

/// Of the heads that see all, or else of all heads, the one whose last reader takes most of one token: the page opens
/// there.
const HeadLook& most_decided(const Look& look) {
  return *std::ranges::max_element(look.heads, {}, [](const HeadLook& head) {
    return std::pair(head.window == 0, std::abs(head.gate.back()) * std::ranges::max(head.share));
  });
}

json choices(const Look& look) {
  json layers = json::array(), heads = json::array();
  for (const HeadLook& head : look.heads) {
    if (std::ranges::find(layers, json(head.layer)) == layers.end()) {
      layers.push_back(head.layer);
    }
    if (std::ranges::find(heads, json(head.head)) == heads.end()) {
      heads.push_back(head.head);
    }
  }
  const HeadLook& first = most_decided(look);
  return json::array(
      {choice("layer", "Layer", layers, first.layer), choice("head", "Head", heads, first.head)});
}

/// An axis of tokens under their names.
json token_axis(const char* field, const char* title, const Look& look, const TokenNames& names,
                bool along = true) {
  json axis = {{"labelExpr", fmt::format("words[datum.value - {}]", look.from)},
               {"labelOverlap", true},
               {"ticks", false},
               {"grid", false},
               {"labelLimit", 90}};
  if (along) { // letters stand upright, words lean
    axis["labelAngle"] =
        std::ranges::all_of(words_of(look, names),
                            [](const std::string& word) { return report::display_width(word) < 3; })
            ? 0
            : -60;
  }
  return {{"field", field}, {"type", "ordinal"}, {"title", title}, {"axis", axis}};
}

json words_parameter(const Look& look, const TokenNames& names) {
  return {{"name", "words"}, {"value", words_of(look, names)}};
}

report::Chart matrix_chart(const Look& look, const TokenNames& names) {
  const std::string title = "What each reader takes of each token";
  report::Chart chart{
      .title = title, .description = title + ", as a matrix of colours.", .spec = {}, .numbers = {}};
  chart.spec = report::frame(title, chart.description);
  chart.spec["height"] =
      std::clamp(kRowHeight * static_cast<int>(look.to - look.from), kLeastHeight, kMostHeight);
  chart.spec["data"] = {{"values", track_data(look)}};
  chart.spec["transform"] = json::array(
      {chosen_head(),
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
       calculate(named("reader", look), "reader_text"),
       calculate(named("token", look), "token_text")});
  json colour = {{"field", "shown"},
                 {"type", "quantitative"},
                 {"title", nullptr},
                 {"legend", {{"orient", "top"}, {"gradientLength", 240}, {"format", ".2~g"}}}};
  // Only the dot product as gate takes less than nothing.
  colour["scale"] = look.gate == "dot_product" ? json{{"scheme", "blueorange"}, {"domainMid", 0}}
                                               : json{{"scheme", "viridis"}, {"domainMin", 0}};
  chart.spec["mark"] = {{"type", "rect"}};
  chart.spec["encoding"] = {
      {"x", token_axis("token", "token", look, names)},
      {"y", token_axis("reader", "reader", look, names, false)},
      {"color", colour},
      {"tooltip", json::array({report::tooltip("reader_text", "nominal", "reader", ""),
                               report::tooltip("token_text", "nominal", "token", ""),
                               report::tooltip("share", "quantitative", "share", ".4~g"),
                               report::tooltip("attention", "quantitative", "attention", ".4~g"),
                               report::tooltip("contribution", "quantitative", "contribution", ".4~g")})}};
  return chart;
}

/// A bar per token of one track.
report::Chart token_chart(const Look& look, const TokenNames& names, const std::string& title,
                          const char* field, const report::Axis& y) {
  report::Chart chart{.title = title, .description = title, .spec = {}, .numbers = {}};
  chart.spec = report::frame(title, title);
  chart.spec["height"] = kTrackHeight;
  chart.spec["data"] = {{"values", track_data(look)}};
  chart.spec["transform"] = json::array({chosen_head(),
                                         {{"flatten", {"place", field}}, {"as", {"token", "value"}}},
                                         calculate(named("token", look), "text")});
  chart.spec["mark"] = {{"type", "bar"}};
  chart.spec["encoding"] = {
      {"x", token_axis("token", "token", look, names)},
      {"y", report::axis_encoding("value", y, true)},
      {"color", {{"value", kColour}}},
      {"tooltip", json::array({report::tooltip("text", "nominal", "token", ""),
                               report::tooltip("value", "quantitative", y.title, ".4~g")})}};
  chart.spec["encoding"]["y"]["axis"]["tickCount"] = kTrackTicks;
  return chart;
}

report::Table track_table(const Look& look, const TokenNames& names) {
  report::Table table{.columns = {{.name = "layer"},
                                  {.name = "head"},
                                  {.name = "position"},
                                  {.name = "token"},
                                  {.name = "gate"},
                                  {.name = "log weight", .key = "log_weight"},
                                  {.name = "share", .key = "share"},
                                  {.name = "contribution"}}};
  for (const HeadLook& head : look.heads) {
    for (int64_t i = look.from; i < look.to; ++i) {
      const auto at = static_cast<size_t>(i);
      table.rows.push_back({head.layer, head.head, i, names(look.ids[at]), as_printed(head.gate[at]),
                            as_printed(head.log_weight[at]), as_printed(head.share[at]),
                            as_printed(head.contribution[at])});
    }
  }
  return table;
}

/// What bins of tokens along a long text show of one head, or of the whole model.
struct BinTrack {
  int64_t layer = 0, head = 0;
  std::vector<double> value = {}, low = {}, high = {}; ///< one per bin; low and high empty: bars from 0
  std::vector<std::string> most = {};                  ///< the token that stands out, or nothing
};

report::Chart bin_chart(const Look& look, const std::string& title, const report::Axis& y,
                        const std::vector<BinTrack>& tracks) {
  const std::vector<Bin> bins = bins_of(look);
  const bool bars = tracks.front().low.empty();
  json rows = json::array();
  for (const BinTrack& track : tracks) {
    for (size_t i = 0; i < bins.size(); ++i) {
      rows.push_back({{"l", track.layer}, {"h", track.head}, {"from", bins[i].from}, {"to", bins[i].to}});
      rows.back()["value"] = as_printed(static_cast<float>(track.value[i]));
      if (bars) {
        rows.back()["most"] = report::valid_utf8(track.most[i]);
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
      .title = "token", .format = "~s", .range = std::pair(0.0, static_cast<double>(count_of(look)))};
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
    tooltips.push_back(report::tooltip("most", "nominal", "most at", ""));
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

/// Shares of bins, and where most of each lies.
BinTrack shares_of_bins(const Look& look, const std::vector<float>& shares, const TokenNames& names) {
  BinTrack track;
  for (const Bin& bin : bins_of(look)) {
    const int64_t place = top(bin, shares);
    track.value.push_back(sum(bin.of(shares)));
    track.most.push_back(fmt::format("{} ({})", names(look.ids[static_cast<size_t>(place)]), place));
  }
  return track;
}

BinTrack means_of_bins(const Look& look, const std::vector<float>& numbers) {
  BinTrack track;
  const auto shown = [](double number) { return std::max(number, kNoWeight); };
  for (const Bin& bin : bins_of(look)) {
    track.value.push_back(shown(mean(bin.of(numbers))));
    track.low.push_back(shown(as_printed(std::ranges::min(bin.of(numbers)))));
    track.high.push_back(shown(as_printed(std::ranges::max(bin.of(numbers)))));
  }
  return track;
}

} // namespace

std::vector<std::string> words_of(const Look& look, const TokenNames& names) {
  std::vector<std::string> words;
  for (int64_t i = look.from; i < look.to; ++i) {
    words.push_back(names(look.ids[static_cast<size_t>(i)]));
  }
  return words;
}

report::Chart matrix_figure(const Look& look, const TokenNames& names) {
  report::Panels panels{
      .title = "Layer by layer, head by head",
      .description = "A matrix of readers and tokens, the gate of each reader and the weight of "
                     "each token, for the layer and head that are chosen.",
      .charts = {matrix_chart(look, names),
                 token_chart(look, names, "Gate: how much of what it looks at each reader takes", "gate",
                             {.title = "gate"}),
                 token_chart(look, names, "Focus: the logarithm of each token's weight", "weight",
                             {.title = "log weight"})},
      .stacked = true};
  panels.charts.front().numbers = track_table(look, names);
  report::Chart chart = to_chart(panels);
  json params = choices(look);
  params.push_back({{"name", "quantity"},
                    {"value", "attention"},
                    {"bind",
                     {{"input", "select"},
                      {"name", "Colour"},
                      {"options", {"attention", "share", "contribution"}},
                      {"labels", {"effective attention", "share of the look", "length of what is added"}}}}});
  params.push_back(words_parameter(look, names));
  chart.spec["params"] = params;
  return chart;
}

report::Chart track_figure(const Look& look, const TokenNames& names) {
  report::Table numbers{.columns = {{.name = "layer"},
                                    {.name = "head"},
                                    {.name = "from token", .key = "from"},
                                    {.name = "to token", .key = "to"},
                                    {.name = "share"},
                                    {.name = "most at", .key = "top"},
                                    {.name = "gate"},
                                    {.name = "log weight", .key = "log_weight"}}};
  const std::vector<Bin> bins = bins_of(look);
  std::vector<BinTrack> shares, weights, gates;
  for (const HeadLook& head : look.heads) {
    shares.push_back(shares_of_bins(look, head.share, names));
    weights.push_back(means_of_bins(look, head.log_weight));
    gates.push_back(means_of_bins(look, head.gate));
    for (BinTrack* track : {&shares.back(), &weights.back(), &gates.back()}) {
      track->layer = head.layer;
      track->head = head.head;
    }
    for (size_t i = 0; i < bins.size(); ++i) {
      numbers.rows.push_back({head.layer, head.head, bins[i].from, bins[i].to, shares.back().value[i],
                              shares.back().most[i], gates.back().value[i], weights.back().value[i]});
    }
  }
  report::Panels panels{
      .title = "Layer by layer, head by head",
      .description =
          "Where the last reader looks, and weights and gates along the text, for the layer and head "
          "that are chosen.",
      .charts = {bin_chart(look, "Where the last reader looks", {.title = "share"}, shares),
                 bin_chart(look, "Focus: the logarithm of the tokens' weights, mean and range",
                           {.title = "log weight"}, weights),
                 bin_chart(look, "Gate: how much of what it looks at a reader takes, mean and range",
                           {.title = "gate"}, gates)},
      .stacked = true};
  for (report::Chart& chart : panels.charts) {
    chart.spec["transform"] = json::array({chosen_head()});
  }
  panels.charts.front().numbers = std::move(numbers);
  report::Chart chart = to_chart(panels);
  chart.spec["params"] = choices(look);
  return chart;
}

report::Chart roll_out_figure(const Look& look, const TokenNames& names) {
  const std::string title = "What the last reader is made of";
  const report::Axis shares{.title = "share", .format = ".0%"};
  report::Table numbers{.columns = {{.name = "position"}, {.name = "token"}, {.name = "share"}}};
  report::Chart chart{.title = title, .description = title, .spec = {}, .numbers = {}};
  json rows = json::array();
  if (has_matrix(look)) {
    for (int64_t i = look.from; i < look.to; ++i) {
      const auto at = static_cast<size_t>(i);
      const std::string name = names(look.ids[at]);
      rows.push_back({{"token", i},
                      {"text", report::valid_utf8(fmt::format("{} ({})", name, i))},
                      {"value", as_printed(look.roll_out[at])}});
      numbers.rows.push_back({i, name, as_printed(look.roll_out[at])});
    }
    chart.spec = report::frame(title, title);
    chart.spec["height"] = kTrackHeight;
    chart.spec["params"] = json::array({words_parameter(look, names)});
    chart.spec["data"] = {{"values", rows}};
    chart.spec["mark"] = {{"type", "bar"}};
    chart.spec["encoding"] = {
        {"x", token_axis("token", "token", look, names)},
        {"y", report::axis_encoding("value", shares, true)},
        {"color", {{"value", kColour}}},
        {"tooltip", json::array({report::tooltip("text", "nominal", "token", ""),
                                 report::tooltip("value", "quantitative", "share", ".2%")})}};
    chart.spec["encoding"]["y"]["axis"]["tickCount"] = kTrackTicks;
  } else {
    const BinTrack track = shares_of_bins(look, look.roll_out, names);
    chart = bin_chart(look, title, shares, {track});
    for (size_t i = 0; i < track.value.size(); ++i) {
      numbers.rows.push_back({bins_of(look)[i].from, track.most[i], track.value[i]});
    }
  }
  chart.numbers = std::move(numbers);
  return chart;
}

} // namespace mneme::cli
