// SPDX-License-Identifier: MIT

#include "experiments/attention/bit_table.h"

#include "report/chart_parts.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;

constexpr double kGap = 1;     // columns between bits and label
constexpr int kRowHeight = 24; // pixels
constexpr const char* kFrame = "#d0342c";

json position_encoding(const char* field, const json& axis) {
  return {{"field", field},
          {"type", "quantitative"},
          {"axis", axis},
          {"scale", {{"nice", false}, {"zero", false}}}};
}

} // namespace

report::Chart bit_table(const std::string& title, const data::SparseAnd& function,
                        const data::LabelledBits& samples) {
  json cells = json::array(), frames = json::array();
  report::Table numbers{.columns = {{.name = "sample"}, {.name = "bits"}, {.name = "label"}}};
  const double labels_at = static_cast<double>(function.context_length) + kGap;
  const auto add = [&](int64_t sample, double column, bool on, const std::string& what) {
    cells.push_back({{"left", column - 0.5},
                     {"right", column + 0.5},
                     {"top", sample},
                     {"bottom", sample + 1},
                     {"value", on ? "1" : "0"},
                     {"what", what}});
  };
  for (int64_t sample = 0; sample < samples.inputs.count(); ++sample) {
    std::string bits;
    for (int64_t bit = 0; bit < function.context_length; ++bit) {
      const bool on = samples.inputs.get(sample, bit);
      const bool is_rule = function.has_rule() && bit == function.context_length - 1;
      add(sample, static_cast<double>(bit), on, is_rule ? "rule" : "bit " + std::to_string(bit));
      bits += on ? '1' : '0';
    }
    const bool label = samples.labels[static_cast<size_t>(sample)] != 0;
    add(sample, labels_at, label, "label");
    numbers.rows.push_back({sample, bits, label ? "true" : "false"});
  }
  const auto frame_column = [&](double column, const std::string& what) {
    frames.push_back({{"left", column - 0.5},
                      {"right", column + 0.5},
                      {"top", 0},
                      {"bottom", samples.inputs.count()},
                      {"what", what}});
  };
  const std::string rule_0 = function.has_rule() ? "relevant under rule 0" : "relevant";
  std::vector<std::string> kinds = {rule_0};
  json colours = {kFrame};
  for (const int64_t bit : function.relevant) {
    frame_column(static_cast<double>(bit), rule_0);
  }
  if (function.has_rule()) {
    for (const int64_t bit : function.relevant_under_rule) {
      frame_column(static_cast<double>(bit), "relevant under rule 1");
    }
    frame_column(static_cast<double>(function.context_length - 1), "rule token");
    kinds.insert(kinds.end(), {"relevant under rule 1", "rule token"});
    colours.push_back("#0072b2");
    colours.push_back("#cc79a7");
  }
  report::Chart chart{
      .title = title, .description = title + ": rows are samples, columns are bits.", .numbers = numbers};
  chart.spec = report::frame(title, chart.description);
  chart.spec["height"] = kRowHeight * samples.inputs.count();
  const json columns = position_encoding("left", {{"title", "bit (rightmost column: label)"},
                                                  {"tickMinStep", 1},
                                                  {"domain", false},
                                                  {"values", json::array()}});
  const json rows = position_encoding("top", {{"title", "sample"},
                                              {"tickMinStep", 1},
                                              {"grid", false},
                                              {"labels", false},
                                              {"ticks", false},
                                              {"domain", false}});
  const json edges = {
      {"x", columns}, {"x2", {{"field", "right"}}}, {"y", rows}, {"y2", {{"field", "bottom"}}}};
  json cell_encoding = edges, frame_encoding = edges;
  cell_encoding["fill"] = {{"field", "value"},
                           {"type", "nominal"},
                           {"legend", nullptr},
                           {"scale", {{"domain", {"0", "1"}}, {"range", {"#ffffff", "#1f2328"}}}}};
  cell_encoding["tooltip"] = json::array(
      {report::tooltip("what", "nominal", "column", ""), report::tooltip("value", "nominal", "value", "")});
  frame_encoding["stroke"] = {{"field", "what"},
                              {"type", "nominal"},
                              {"title", nullptr},
                              {"legend", {{"orient", "bottom"}, {"labelLimit", 320}}},
                              {"scale", {{"domain", kinds}, {"range", colours}}}};
  chart.spec["layer"] =
      json::array({{{"data", {{"values", cells}}},
                    {"mark", {{"type", "rect"}, {"stroke", "#8a9099"}, {"strokeWidth", 0.5}}},
                    {"encoding", cell_encoding}},
                   {{"data", {{"values", frames}}},
                    {"mark", {{"type", "rect"}, {"fillOpacity", 0}, {"strokeWidth", 3}}},
                    {"encoding", frame_encoding}}});
  return chart;
}

} // namespace mneme::experiments
