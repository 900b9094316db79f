// SPDX-License-Identifier: MIT

/// Attention as a computation graph that depends on the rule token: connection strength of each bit to the
/// output, under each rule.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "learning/attention_figures.h"
#include "learning/sparse_and.h"
#include "experiments/experiment.h"

namespace mneme::experiments {
namespace {

using learning::Connections;
using learning::connections_of;
using training::SparseAndTrial;

constexpr int64_t kLength = 11, kSamples = 300, kEpochs = 1000, kPlotted = 200; // as published

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
            .chart = learning::connection_graphs(
                "Computation graph under each rule (exercise 4)",
                "Attention times readout of each position, one panel per rule, as published.", shown.function,
                {by_rule[0].published, by_rule[1].published}),
            .caption =
                "Both panels show the same model, but their edges differ: the rule token changes which "
                "positions are connected to the output, and how strongly."},
           {.name = "graph-of-what-is-added",
            .chart = learning::connection_graphs(
                "Contribution of each bit to the output",
                "Readout times attention times value of each bit, one panel per rule.", shown.function,
                {by_rule[0].contributions, by_rule[1].contributions}),
            .caption = "The edges of a panel sum to the output before the sigmoid (the logit). Few bits "
                       "contribute most of it; the table shows in " +
                       std::to_string(trials.size()) +
                       " seeds whether they are the targets of the active rule."}},
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
          .source = "Neuromatch tutorial on attention, section 3, exercise 4",
          .is_parallel = true,
          .run = run};
}

} // namespace mneme::experiments
