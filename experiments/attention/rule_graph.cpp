// SPDX-License-Identifier: MIT

/// The rule token changes the graph of computation: how strongly each bit is tied to the output, rule by rule.

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

struct Ties {
  std::vector<double> added, published; ///< one per place
};

/// Averages over the true samples of a rule. Published: attention scores times the readout of the key, one number per
/// query i: sum_j scores_ij readout_j. The model itself sums sum_i readout_i scores_ij value_j: what key j adds to the
/// output, all of which together are the output before the sigmoid.
Ties ties_of(const SparseAndTrial& trial, const training::SelfAttentionModel& model,
             const data::LabelledBits& samples, bool rule) {
  const int64_t length = model.context_length;
  const training::AttentionReadout readout = attend(model, trial.fit.parameters, samples.inputs);
  const double* weights = trial.fit.parameters.data() + trial.fit.parameters.size() - length;
  Ties ties{std::vector<double>(static_cast<size_t>(length)),
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
        ties.added[static_cast<size_t>(key)] +=
            weights[query] * score * readout.values[static_cast<size_t>(sample * length + key)];
        ties.published[static_cast<size_t>(query)] += weights[key] * score;
      }
    }
  }
  for (std::vector<double>* all : {&ties.added, &ties.published}) {
    for (double& tie : *all) {
      tie /= std::max(count, 1.0);
    }
  }
  return ties;
}

std::string role(const data::SparseAnd& function, int64_t place) {
  const auto holds = [&](const std::vector<int64_t>& bits) {
    return std::ranges::find(bits, place) != bits.end();
  };
  return place == function.context_length - 1  ? "rule token"
         : holds(function.relevant)            ? "target of rule 0"
         : holds(function.relevant_under_rule) ? "target of rule 1"
                                               : "other";
}

report::Chart graph(const std::string& title, const data::SparseAnd& function,
                    const std::vector<double>& ties) {
  const double middle = static_cast<double>(kLength - 1) / 2, height = 0.75;
  double largest = 0;
  for (const double tie : ties) {
    largest = std::max(largest, std::abs(tie));
  }
  json edges = json::array(), nodes = json::array();
  report::Table numbers{
      .columns = {{.name = "bit"}, {.name = "role"}, {.name = "tie to the output", .key = "tie"}}};
  for (int64_t place = 0; place < kLength; ++place) {
    const double tie = ties[static_cast<size_t>(place)];
    const double at = static_cast<double>(place);
    edges.push_back({{"x", at},
                     {"y", 0},
                     {"x2", middle},
                     {"y2", height},
                     {"tie", tie},
                     {"bit", place},
                     {"role", role(function, place)}});
    nodes.push_back({{"x", at}, {"y", 0}, {"bit", std::to_string(place)}, {"role", role(function, place)}});
    numbers.rows.push_back({place, role(function, place), tie});
  }
  report::Chart chart{
      .title = title,
      .description = title + ": an edge from each bit to the output, coloured by how strongly it is tied.",
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
                                     report::tooltip("tie", "quantitative", "tie", ".4f")});
  const json strength = {
      {"field", "tie"},
      {"type", "quantitative"},
      {"title", "tie"},
      {"scale", {{"scheme", "redblue"}, {"domain", {-largest, largest}}, {"reverse", false}}},
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
                           {"color", strength},
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

/// How far the targets of the rule in force stand out: their mean tie less that of the other rule's targets.
double contrast(const data::SparseAnd& function, const std::vector<double>& ties, bool rule) {
  const auto mean = [&](const std::vector<int64_t>& bits) {
    double sum = 0;
    for (const int64_t bit : bits) {
      sum += std::abs(ties[static_cast<size_t>(bit)]) / static_cast<double>(bits.size());
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
  const Ties under[2] = {ties_of(shown, model, samples, false), ties_of(shown, model, samples, true)};

  report::Table table{.columns = {{.name = "formula"},
                                  {.name = "rule"},
                                  {.name = "targets of the rule stand out by", .key = "contrast"},
                                  {.name = "seeds in which they do",
                                   .key = "share",
                                   .notation = report::Notation::percent,
                                   .digits = 0}}};
  for (const bool as_published : {true, false}) {
    for (const bool rule : {false, true}) {
      std::vector<double> contrasts;
      double positive = 0;
      for (const SparseAndTrial& trial : trials) {
        const Ties ties = ties_of(trial, model, plotted(trial), rule);
        contrasts.push_back(contrast(trial.function, as_published ? ties.published : ties.added, rule));
        positive += contrasts.back() > 0 ? 1.0 / static_cast<double>(trials.size()) : 0;
      }
      table.rows.push_back({std::string(as_published ? "attention times readout, as published"
                                                     : "what the bit adds to the output"),
                            static_cast<int64_t>(rule ? 1 : 0), cell(trials::mean_interval(contrasts)),
                            positive});
    }
  }
  return {
      .parameters = {{"model", "self-attention, T = 11, s = 2, d = 2, 300 samples, 1000 epochs"},
                     {"averaged over", "the true ones of 200 samples, rule by rule"},
                     {"shown", fmt::format("seed {}, validation accuracy {:.1f} %", settings.seed,
                                           100 * shown.validated.accuracy)},
                     {"seeds of the table", std::to_string(trials.size())}},
      .tables = {{"Absolute tie of a rule's own targets less that of the other rule's, mean over seeds",
                  table}},
      .figures =
          {{.name = "graph",
            .chart = to_chart(report::Panels{
                .title = "The graph of computation under each rule",
                .description = "Attention times readout of each place, one panel per rule, as published.",
                .charts = {graph("Rule = 0", shown.function, under[0].published),
                           graph("Rule = 1", shown.function, under[1].published)}}),
            .look = "The same weights, but the edges differ between the panels: the rule token changes which "
                    "places are tied to the output, and how strongly."},
           {.name = "graph-of-what-is-added",
            .chart = to_chart(report::Panels{
                .title = "What each bit adds to the output",
                .description = "Readout times attention times value of each bit, one panel per rule.",
                .charts = {graph("Rule = 0, added", shown.function, under[0].added),
                           graph("Rule = 1, added", shown.function, under[1].added)}}),
            .look = "The edges of a panel sum to the output before the sigmoid. Few bits carry it; the "
                    "table says over many seeds whether they are the targets of the rule in force."}},
      .notes = {"The published plot multiplies attention scores [query, key] with the readout along the key, "
                "and so "
                "gives one number per place that asks. The model reads out by query: what a place passes on, "
                "when it is "
                "looked at, is the sum over queries of readout times score, times its value. Both are shown; "
                "only the "
                "second adds up to the output."}};
}

} // namespace

Experiment attention_rule_graph() {
  return {.id = "attention/rule-graph",
          .title = "Attention as a graph that changes with the rule",
          .claim = "Under the two rules the attention weighs the input tokens differently for the output: "
                   "attention is a "
                   "computation graph that depends on the input.",
          .source = "Neuromatch tutorial on attention, exercise 4",
          .is_parallel = true,
          .run = run};
}

} // namespace mneme::experiments
