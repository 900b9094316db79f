// SPDX-License-Identifier: MIT

#include "learning/attention_figures.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "report/chart_parts.h"
#include "report/estimates.h"

namespace mneme::learning {
namespace {

using nlohmann::json;
using training::SparseAndTrial;

constexpr const char* kOtherColour = "#8a9099";

/// Mean and standard deviation of numbers.
struct Statistics {
  double mean = 0, standard_deviation = 0;
};

Statistics statistics(const std::vector<double>& numbers) {
  Statistics result;
  const double count = static_cast<double>(numbers.size());
  for (const double number : numbers) {
    result.mean += number / count;
  }
  for (const double number : numbers) {
    result.standard_deviation += (number - result.mean) * (number - result.mean) / (count - 1);
  }
  result.standard_deviation = std::sqrt(result.standard_deviation);
  return result;
}

std::string target_role(const data::SparseAnd& function, int64_t position) {
  const auto is_in = [&](const std::vector<int64_t>& bits) {
    return std::ranges::find(bits, position) != bits.end();
  };
  if (!function.has_rule()) {
    return is_in(function.relevant) ? "target" : "other";
  }
  if (position == function.context_length - 1) {
    return "rule token";
  }
  if (is_in(function.relevant)) {
    return "target of rule 0";
  }
  return is_in(function.relevant_under_rule) ? "target of rule 1" : "other";
}

/// The graph of one rule; strengths from -max_strength to max_strength have distinct colours.
report::Chart graph(const std::string& title, const data::SparseAnd& function,
                    const std::vector<double>& strengths, double max_strength) {
  const int64_t length = function.context_length;
  const double middle = static_cast<double>(length - 1) / 2, height = 0.75;
  json edges = json::array(), nodes = json::array();
  report::Table numbers{
      .columns = {{.name = "bit"}, {.name = "role"}, {.name = "connection to the output", .key = "tie"}}};
  for (int64_t position = 0; position < length; ++position) {
    const double strength = strengths[static_cast<size_t>(position)];
    const double at = static_cast<double>(position);
    edges.push_back({{"x", at},
                     {"y", 0},
                     {"x2", middle},
                     {"y2", height},
                     {"tie", strength},
                     {"bit", position},
                     {"role", target_role(function, position)}});
    nodes.push_back(
        {{"x", at}, {"y", 0}, {"bit", std::to_string(position)}, {"role", target_role(function, position)}});
    numbers.rows.push_back({position, target_role(function, position), strength});
  }
  report::Chart chart{
      .title = title,
      .description = title + ": an edge from each bit to the output, coloured by the connection strength.",
      .numbers = numbers};
  chart.spec = report::frame(title, chart.description);
  const json x = {{"field", "x"},
                  {"type", "quantitative"},
                  {"axis", nullptr},
                  {"scale", {{"domain", {-0.5, static_cast<double>(length) - 0.5}}, {"nice", false}}}};
  const json y = {{"field", "y"},
                  {"type", "quantitative"},
                  {"axis", nullptr},
                  {"scale", {{"domain", {-0.15, 0.9}}, {"nice", false}}}};
  const json tooltips = json::array({report::tooltip("bit", "nominal", "bit", ""),
                                     report::tooltip("role", "nominal", "role", ""),
                                     report::tooltip("tie", "quantitative", "connection", ".4f")});
  const json edge_colour = {
      {"field", "tie"},
      {"type", "quantitative"},
      {"title", "connection"},
      {"scale", {{"scheme", "redblue"}, {"domain", {-max_strength, max_strength}}, {"reverse", false}}},
      {"legend", {{"orient", "right"}, {"gradientLength", 160}, {"format", ".1f"}}}};
  const json target_roles = function.has_rule()
                                ? json{"target of rule 0", "target of rule 1", "rule token", "other"}
                                : json{"target", "other"},
             colours = function.has_rule() ? json{"#d55e00", "#0072b2", "#cc79a7", kOtherColour}
                                           : json{"#d55e00", kOtherColour};
  const json kinds = {{"field", "role"},
                      {"type", "nominal"},
                      {"title", nullptr},
                      {"scale", {{"domain", target_roles}, {"range", colours}}},
                      {"legend", {{"orient", "bottom"}, {"columns", 2}, {"symbolOpacity", 1}}}};
  const json at = {{"x", x}, {"y", y}};
  const auto with = [&](const json& more) {
    json encoding = at;
    encoding.update(more);
    return encoding;
  };
  chart.spec["layer"] = json::array(
      {{{"data", {{"values", edges}}},
        {"mark", {{"type", "rule"}, {"strokeWidth", 6}, {"strokeCap", "round"}}},
        {"encoding", with({{"x2", {{"field", "x2"}}},
                           {"y2", {{"field", "y2"}}},
                           {"color", edge_colour},
                           {"tooltip", tooltips}})}},
       {{"data", {{"values", nodes}}},
        {"mark", {{"type", "point"}, {"filled", true}, {"size", 160}, {"opacity", 1}}},
        {"encoding", with({{"fill", kinds},
                           {"tooltip", json::array({report::tooltip("role", "nominal", "role", "")})}})}},
       {{"data", {{"values", nodes}}},
        {"mark", {{"type", "text"}, {"dy", 18}, {"fill", "currentColor"}}},
        {"encoding", with({{"text", {{"field", "bit"}, {"type", "nominal"}}}})}},
       {{"data", {{"values", json::array({{{"x", middle}, {"y", height}}})}}},
        {"mark",
         {{"type", "point"}, {"filled", true}, {"size", 300}, {"opacity", 1}, {"fill", "currentColor"}}},
        {"encoding", at}},
       {{"data", {{"values", json::array({{{"x", middle}, {"y", height}, {"bit", "output"}}})}}},
        {"mark", {{"type", "text"}, {"dy", -18}, {"fill", "currentColor"}}},
        {"encoding", with({{"text", {{"field", "bit"}, {"type", "nominal"}}}})}}});
  chart.spec["resolve"] = {{"scale", {{"color", "independent"}, {"fill", "independent"}}}};
  return chart;
}

} // namespace

std::vector<std::vector<double>> last_query_weights(const SparseAndTrial& trial,
                                                    const training::SelfAttentionModel& model) {
  const training::AttentionIntermediates readout =
      attend(model, trial.fit.parameters, trial.validation.inputs);
  const int64_t length = model.context_length, positions = trial.function.has_rule() ? length - 1 : length;
  std::vector<std::vector<double>> weights;
  for (int64_t sample = 0; sample < trial.validation.inputs.count(); ++sample) {
    const auto row = readout.scores.begin() + (sample * length + length - 1) * length;
    weights.emplace_back(row, row + positions);
  }
  return weights;
}

std::vector<std::string> roles(const data::SparseAnd& function) {
  return function.has_rule()
             ? std::vector<std::string>{"irrelevant", "relevant under rule 0", "relevant under rule 1"}
             : std::vector<std::string>{"irrelevant", "relevant"};
}

std::string role_of(const data::SparseAnd& function, int64_t position) {
  const auto is_in = [&](const std::vector<int64_t>& bits) {
    return std::ranges::find(bits, position) != bits.end();
  };
  const std::vector<std::string> names = roles(function);
  return is_in(function.relevant) ? names[1] : is_in(function.relevant_under_rule) ? names[2] : names[0];
}

report::Chart weights_chart(const SparseAndTrial& trial, const training::SelfAttentionModel& model,
                            int64_t samples_shown) {
  const std::vector<std::vector<double>> weights = last_query_weights(trial, model);
  report::LineChart chart{.title = "Attention weights of a batch",
                          .description =
                              "Attention weight of each bit for the last query, one point per sample.",
                          .x = {.title = "bit position t"},
                          .y = {.title = "attention weight", .limits = std::pair(0.0, 1.0)},
                          .series_title = "label"};
  const size_t shown = std::min(weights.size(), static_cast<size_t>(samples_shown));
  for (const bool label : {true, false}) {
    report::Series series{.name = label ? "true" : "false", .style = report::SeriesStyle::points};
    for (size_t sample = 0; sample < shown; ++sample) {
      if ((trial.validation.labels[sample] != 0) == label) {
        for (size_t position = 0; position < weights[sample].size(); ++position) {
          // The two labels are shifted horizontally, so that neither covers the other.
          series.points.push_back({static_cast<double>(position) + (label ? -0.12 : 0.12),
                                   report::exact_point(weights[sample][position])});
        }
      }
    }
    chart.series.push_back(std::move(series));
  }
  for (const std::vector<int64_t>* group : {&trial.function.relevant, &trial.function.relevant_under_rule}) {
    for (const int64_t bit : *group) {
      chart.references.push_back({.at = static_cast<double>(bit),
                                  .label = !trial.function.has_rule()          ? "relevant"
                                           : group == &trial.function.relevant ? "rule 0"
                                                                               : "rule 1"});
    }
  }
  report::Chart drawn = to_chart(chart);
  for (std::vector<report::Cell>& row : drawn.numbers.rows) { // the bits themselves, without the shifts
    if (double* position = std::get_if<double>(&row[1])) {
      *position = std::round(*position) + 0.0; // not -0
    }
  }
  return drawn;
}

WeightStatistics weight_statistics(const SparseAndTrial& trial, const training::SelfAttentionModel& model) {
  const std::vector<std::vector<double>> weights = last_query_weights(trial, model);
  report::LineChart chart{.title = "Mean and standard deviation of the attention weights",
                          .description = "Mean attention weight of each bit; bars are standard deviations.",
                          .x = {.title = "bit position t"},
                          .y = {.title = "attention weight", .limits = std::pair(0.0, 1.0)},
                          .series_title = "bit",
                          .intervals = report::IntervalStyle::bars};
  report::Table table{.columns = {{.name = "bit"},
                                  {.name = "role"},
                                  {.name = "mean"},
                                  {.name = "standard deviation", .key = "deviation"}}};
  for (const std::string& role : roles(trial.function)) {
    report::Series series{.name = role, .style = report::SeriesStyle::points};
    for (size_t position = 0; position < weights.front().size(); ++position) {
      if (role_of(trial.function, static_cast<int64_t>(position)) == role) {
        std::vector<double> numbers;
        for (const std::vector<double>& row : weights) {
          numbers.push_back(row[position]);
        }
        const auto [mean, deviation] = statistics(numbers);
        series.points.push_back({static_cast<double>(position), {mean, mean - deviation, mean + deviation}});
        table.rows.push_back({static_cast<int64_t>(position), role, mean, deviation});
      }
    }
    chart.series.push_back(std::move(series));
  }
  return {to_chart(chart), std::move(table)};
}

/// Averages over the samples of a rule whose label is true. `published` has one value per query position i:
/// sum_j scores_ij readout_j. The model itself computes the logit sum_ij readout_i scores_ij value_j;
/// `contributions` are the terms of key position j, which sum to the logit.
Connections connections_of(const SparseAndTrial& trial, const training::SelfAttentionModel& model,
                           const data::LabelledBits& samples, bool rule) {
  const int64_t length = model.context_length;
  const training::AttentionIntermediates readout = attend(model, trial.fit.parameters, samples.inputs);
  const double* weights = trial.fit.parameters.data() + trial.fit.parameters.size() - length;
  Connections connections{std::vector<double>(static_cast<size_t>(length)),
                          std::vector<double>(static_cast<size_t>(length))};
  double count = 0;
  for (int64_t sample = 0; sample < samples.inputs.count(); ++sample) {
    if (samples.labels[static_cast<size_t>(sample)] == 0 ||
        (trial.function.has_rule() && samples.inputs.get(sample, length - 1) != rule)) {
      continue;
    }
    ++count;
    for (int64_t query = 0; query < length; ++query) {
      for (int64_t key = 0; key < length; ++key) {
        const double score = readout.scores[static_cast<size_t>((sample * length + query) * length + key)];
        connections.contributions[static_cast<size_t>(key)] +=
            weights[query] * score * readout.values[static_cast<size_t>(sample * length + key)];
        connections.published[static_cast<size_t>(query)] += weights[key] * score;
      }
    }
  }
  for (std::vector<double>* all : {&connections.contributions, &connections.published}) {
    for (double& strength : *all) {
      strength /= std::max(count, 1.0);
    }
  }
  return connections;
}

report::Chart connection_graphs(const std::string& title, const std::string& description,
                                const data::SparseAnd& function,
                                const std::vector<std::vector<double>>& strengths) {
  double max_strength = 0;
  for (const std::vector<double>& of_rule : strengths) {
    for (const double strength : of_rule) {
      max_strength = std::max(max_strength, std::abs(strength));
    }
  }
  std::vector<report::Chart> panels;
  for (size_t rule = 0; rule < strengths.size(); ++rule) {
    panels.push_back(
        graph(strengths.size() == 1 ? "All samples whose label is true" : "Rule = " + std::to_string(rule),
              function, strengths[rule], max_strength));
  }
  return to_chart(report::Panels{.title = title, .description = description, .charts = panels});
}

} // namespace mneme::learning
