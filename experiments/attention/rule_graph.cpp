// SPDX-License-Identifier: MIT

/// Attention as a computation graph that depends on the rule token: connection strength of each bit to the
/// output, under each rule.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "learning/sparse_and.h"
#include "experiments/experiment.h"
#include "report/chart_parts.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;
using training::SparseAndTrial;

constexpr int64_t kLength = 11, kSamples = 300, kEpochs = 1000, kPlotted = 200; // as published

/// Connection strength of each position to the output.
struct Connections {
  std::vector<double> contributions; ///< contribution of each key position to the logit
  std::vector<double> published;     ///< by the published formula, one per query position
};

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
    if (samples.labels[static_cast<size_t>(sample)] == 0 || samples.inputs.get(sample, length - 1) != rule) {
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

std::string role(const data::SparseAnd& function, int64_t position) {
  const auto is_in = [&](const std::vector<int64_t>& bits) {
    return std::ranges::find(bits, position) != bits.end();
  };
  if (position == function.context_length - 1) {
    return "rule token";
  }
  if (is_in(function.relevant)) {
    return "target of rule 0";
  }
  return is_in(function.relevant_under_rule) ? "target of rule 1" : "other";
}

report::Chart graph(const std::string& title, const data::SparseAnd& function,
                    const std::vector<double>& strengths) {
  const double middle = static_cast<double>(kLength - 1) / 2, height = 0.75;
  double max_strength = 0;
  for (const double strength : strengths) {
    max_strength = std::max(max_strength, std::abs(strength));
  }
  json edges = json::array(), nodes = json::array();
  report::Table numbers{
      .columns = {{.name = "bit"}, {.name = "role"}, {.name = "connection to the output", .key = "tie"}}};
  for (int64_t position = 0; position < kLength; ++position) {
    const double strength = strengths[static_cast<size_t>(position)];
    const double at = static_cast<double>(position);
    edges.push_back({{"x", at},
                     {"y", 0},
                     {"x2", middle},
                     {"y2", height},
                     {"tie", strength},
                     {"bit", position},
                     {"role", role(function, position)}});
    nodes.push_back(
        {{"x", at}, {"y", 0}, {"bit", std::to_string(position)}, {"role", role(function, position)}});
    numbers.rows.push_back({position, role(function, position), strength});
  }
  report::Chart chart{
      .title = title,
      .description = title + ": an edge from each bit to the output, coloured by the connection strength.",
      .numbers = numbers};
  chart.spec = report::frame(title, chart.description);
  const json x = {{"field", "x"},
                  {"type", "quantitative"},
                  {"axis", nullptr},
                  {"scale", {{"domain", {-0.5, kLength - 0.5}}, {"nice", false}}}};
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
  const std::vector<std::string> roles = {"target of rule 0", "target of rule 1", "rule token", "other"};
  const json kinds = {{"field", "role"},
                      {"type", "nominal"},
                      {"title", nullptr},
                      {"scale", {{"domain", roles}, {"range", {"#d55e00", "#0072b2", "#cc79a7", "#8a9099"}}}},
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

/// Mean absolute connection strength of the targets of the active rule minus that of the other rule's
/// targets.
double contrast(const data::SparseAnd& function, const std::vector<double>& strengths, bool rule) {
  const auto mean = [&](const std::vector<int64_t>& bits) {
    double sum = 0;
    for (const int64_t bit : bits) {
      sum += std::abs(strengths[static_cast<size_t>(bit)]) / static_cast<double>(bits.size());
    }
    return sum;
  };
  return rule ? mean(function.relevant_under_rule) - mean(function.relevant)
              : mean(function.relevant) - mean(function.relevant_under_rule);
}

Outcome run(const RunSettings& settings, Progress& progress) {
  training::SparseAndOptions options{.model = training::self_attention_model(kLength),
                                     .training_samples = kSamples,
                                     .schedule = {.epochs = kEpochs},
                                     .seeds = settings.quick ? 4 : 50,
                                     .seed = settings.seed};
  const std::vector<SparseAndTrial> trials = training::train_sparse_and(options, progress);
  const SparseAndTrial& shown = trials.front();
  const auto plotted = [&](const SparseAndTrial& trial) {
    return data::draw_samples(trial.function, kPlotted, Random(settings.seed).stream(1U << 20U));
  };
  const data::LabelledBits samples = plotted(shown);
  const training::SelfAttentionModel& model = options.model.self_attention;
  const Connections by_rule[2] = {connections_of(shown, model, samples, false),
                                  connections_of(shown, model, samples, true)};

  report::Table table{.columns = {{.name = "formula"},
                                  {.name = "rule"},
                                  {.name = "excess of the rule's targets", .key = "contrast"},
                                  {.name = "seeds with a positive excess",
                                   .key = "share",
                                   .notation = report::Notation::percent,
                                   .digits = 0}}};
  for (const bool as_published : {true, false}) {
    for (const bool rule : {false, true}) {
      std::vector<double> contrasts;
      double positive = 0;
      for (const SparseAndTrial& trial : trials) {
        const Connections connections = connections_of(trial, model, plotted(trial), rule);
        contrasts.push_back(
            contrast(trial.function, as_published ? connections.published : connections.contributions, rule));
        positive += contrasts.back() > 0 ? 1.0 / static_cast<double>(trials.size()) : 0;
      }
      table.rows.push_back({std::string(as_published ? "attention times readout, as published"
                                                     : "contribution of the bit to the output"),
                            static_cast<int64_t>(rule ? 1 : 0), cell(trials::mean_interval(contrasts)),
                            positive});
    }
  }
  return {
      .parameters = {{"model", "self-attention, T = 11, s = 2, d = 2, 300 samples, 1000 epochs"},
                     {"averages", "over those of 200 samples whose label is true, separately for each rule"},
                     {"model in the figures",
                      fmt::format("seed {}, validation accuracy {:.1f} %", settings.seed,
                                  100 * shown.validation_score.accuracy)},
                     {"seeds in the table", std::to_string(trials.size())}},
      .tables = {{"Excess of a rule's targets: mean absolute connection of its own targets minus that of the "
                  "other rule's targets, mean over seeds",
                  table}},
      .figures =
          {{.name = "graph",
            .chart = to_chart(report::Panels{
                .title = "Computation graph under each rule",
                .description = "Attention times readout of each position, one panel per rule, as published.",
                .charts = {graph("Rule = 0", shown.function, by_rule[0].published),
                           graph("Rule = 1", shown.function, by_rule[1].published)}}),
            .caption =
                "Both panels show the same model, but their edges differ: the rule token changes which "
                "positions are connected to the output, and how strongly."},
           {.name = "graph-of-what-is-added",
            .chart = to_chart(report::Panels{
                .title = "Contribution of each bit to the output",
                .description = "Readout times attention times value of each bit, one panel per rule.",
                .charts = {graph("Rule = 0, contributions", shown.function, by_rule[0].contributions),
                           graph("Rule = 1, contributions", shown.function, by_rule[1].contributions)}}),
            .caption = "The edges of a panel sum to the output before the sigmoid (the logit). Few bits "
                       "contribute most of it; the table shows over many seeds whether they are the targets "
                       "of the active rule."}},
      .notes = {
          "The published plot multiplies the attention scores [query, key] by the readout weights along "
          "the key, which results in one number per query position. The model applies the readout "
          "weights to queries: the contribution of a key position is its value times the sum over "
          "queries of readout weight times score. Both are shown; only the second sums to the output."}};
}

} // namespace

Experiment attention_rule_graph() {
  return {.id = "attention/rule-graph",
          .title = "Attention as a graph that changes with the rule",
          .claim = "The two rules lead to different attention weights of the input tokens for the output: "
                   "attention is a computation graph that depends on the input.",
          .source = "Neuromatch tutorial on attention, exercise 4",
          .is_parallel = true,
          .run = run};
}

} // namespace mneme::experiments
