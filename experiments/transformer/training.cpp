// SPDX-License-Identifier: MIT

/// Betas and kinds of fixed points of attention heads during training, and by layer.

#include <algorithm>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include "experiments/given_points.h"
#include "experiments/transformer/head_study.h"
#include "experiments/transformer/study_texts.h"

namespace mneme::experiments {
namespace {

using learning::HeadStatistics;

constexpr int64_t kQuickSteps = 200, kSteps = 3000;

double share(int64_t part, const HeadStatistics& heads) {
  return static_cast<double>(part) / static_cast<double>(heads.count());
}

report::Axis steps_axis() {
  return {.title = "training step + 1", .logarithmic = true};
}

double abscissa(const HeadsAtStep& at) {
  return static_cast<double>(at.step + 1);
}

report::Chart kinds_over_steps(const std::vector<HeadsAtStep>& steps) {
  report::LineChart chart{.title = "Kinds of attention heads during training",
                          .description = "Share of heads of each kind of fixed point by training step.",
                          .x = steps_axis(),
                          .y = report::fraction_axis("heads"),
                          .series = {{.name = "global"}, {.name = "metastable"}, {.name = "single"}},
                          .series_title = "kind of fixed point"};
  for (const HeadsAtStep& at : steps) {
    const HeadStatistics all = learning::statistics_of(at.heads);
    for (const auto& [series, count] : {std::pair(0, all.global), {1, all.metastable}, {2, all.single}}) {
      chart.series[static_cast<size_t>(series)].points.push_back(
          {abscissa(at), exact_point(share(count, all))});
    }
  }
  return report::to_chart(chart);
}

/// One line per layer.
report::Chart layers_over_steps(const std::string& title, const std::string& y,
                                const std::vector<HeadsAtStep>& steps, double HeadStatistics::*value) {
  report::LineChart chart{.title = title,
                          .description = fmt::format("{}, one line per layer, by training step.", title),
                          .x = steps_axis(),
                          .y = {.title = y},
                          .series_title = "layer"};
  std::map<int64_t, report::Series> layers;
  for (const HeadsAtStep& at : steps) {
    for (const auto& [layer, heads] : learning::statistics_by_layer(at.heads)) {
      layers[layer].points.push_back({abscissa(at), exact_point(heads.*value)});
    }
  }
  for (auto& [layer, series] : layers) {
    series.name = fmt::format("layer {}", layer);
    chart.series.push_back(std::move(series));
  }
  return report::to_chart(chart);
}

/// The columns of the tables, after the first ones.
void add_columns(report::Table& table) {
  for (const report::Column& column :
       {report::Column{.name = "mean beta", .key = "mean_beta", .digits = 3},
        {.name = "max beta", .key = "max_beta", .digits = 3},
        {.name = "mean entropy (nats)", .key = "entropy", .digits = 3},
        {.name = "share of keys", .key = "keys_share", .notation = report::Notation::percent, .digits = 0},
        {.name = "global"},
        {.name = "metastable"},
        {.name = "single"}}) {
    table.columns.push_back(column);
  }
}

void add_cells(std::vector<report::Cell>& row, const HeadStatistics& heads) {
  for (const double value : {heads.mean_beta, heads.max_beta, heads.entropy, heads.keys_share}) {
    row.emplace_back(value);
  }
  for (const int64_t count : {heads.global, heads.metastable, heads.single}) {
    row.emplace_back(count);
  }
}

TitledTable steps_table(const std::vector<HeadsAtStep>& steps) {
  TitledTable table{
      .title = "All heads by training step (share of keys: those that carry 90 % of the weight)",
      .table = {.columns = {{.name = "step"}, {.name = "held-out loss (nats)", .key = "loss", .digits = 4}}}};
  add_columns(table.table);
  for (const HeadsAtStep& at : steps) {
    std::vector<report::Cell>& row = table.table.rows.emplace_back();
    row = {at.step, at.loss};
    add_cells(row, learning::statistics_of(at.heads));
  }
  return table;
}

/// The first step, or checkpoint of a run that has none of step 0.
std::string first_name(const std::vector<HeadsAtStep>& steps) {
  return steps.front().step == 0 ? "the first step"
                                 : fmt::format("the first checkpoint (step {})", steps.front().step);
}

TitledTable layers_table(const std::vector<HeadsAtStep>& steps) {
  TitledTable table{.title = fmt::format("Layers at {} and at the last step", first_name(steps)),
                    .table = {.columns = {{.name = "step"}, {.name = "layer"}}}};
  add_columns(table.table);
  std::vector<const HeadsAtStep*> shown = {&steps.front()};
  if (steps.size() > 1) {
    shown.push_back(&steps.back());
  }
  for (const HeadsAtStep* at : shown) {
    for (const auto& [layer, heads] : learning::statistics_by_layer(at->heads)) {
      std::vector<report::Cell>& row = table.table.rows.emplace_back();
      row = {at->step, layer};
      add_cells(row, heads);
    }
  }
  return table;
}

ComparisonTable compare(const std::vector<HeadsAtStep>& steps, const std::string& not_compared) {
  ComparisonTable table{.title = steps.front().step == 0 ? "Heads before and after training"
                                                         : "Heads after training",
                        .source = "Ramsauer et al. 2020, abstract",
                        .tolerance = "The paper describes shares in words: all heads average at first, and "
                                     "most of them leave averaging (more than half).",
                        .not_compared = not_compared};
  const HeadStatistics first = learning::statistics_of(steps.front().heads),
                       last = learning::statistics_of(steps.back().heads);
  if (steps.front().step == 0) {
    table.rows.push_back({.what = "share of global heads before training",
                          .published = 1,
                          .measured = exact_mean(share(first.global, first))});
  }
  table.rows.push_back({.what = "share of heads that do not average after training",
                        .published = 0.5,
                        .measured = exact_mean(share(last.metastable + last.single, last)),
                        .relation = Relation::above});
  return table;
}

Outcome run(const RunSettings& settings, Progress& progress) {
  HeadStudy study{.model = settings.path_of("model"),
                  .steps = study_steps(settings, kQuickSteps, kSteps),
                  .seed = settings.seed};
  StudyTexts texts = study_texts(settings);
  study.training = std::move(texts.training);
  study.held_out = std::move(texts.held_out);
  const TrainingStudy result = study_training(study, progress);
  const StudiedModel& model = result.model;
  const bool is_trained = study.model.empty();
  std::string not_compared = is_trained ? "" : "the claim is about other models than the one of --model";
  if (is_trained && study.steps != kSteps) {
    not_compared = fmt::format("a run of {} training steps (full: {})", study.steps, kSteps);
  }
  Outcome outcome{
      .parameters = {{"model",
                      fmt::format("GPT-2 with {} layers of {} heads of {} features, {} tokens, {} parameters",
                                  model.layers, model.heads_per_layer, model.head_size, model.vocab_size,
                                  model.parameters)},
                     {"training",
                      is_trained ? fmt::format("{} steps of 16 rows of {} tokens, one token per byte, AdamW",
                                               study.steps, model.length)
                                 : fmt::format("{} checkpoints of the given run", result.steps.size())},
                     {"text", texts.source},
                     {"heads",
                      fmt::format("of {} held-out windows of {} tokens; means over 32 queries of the second "
                                  "half of each, betas of the last query",
                                  model.texts, model.length)},
                     {"loss", fmt::format("of {} held-out tokens", model.targets)}},
      .comparisons = {compare(result.steps, not_compared)},
      .tables = {steps_table(result.steps), layers_table(result.steps)},
      .figures =
          {{.name = "kinds",
            .chart = kinds_over_steps(result.steps),
            .caption = "A global head needs more than half of the keys for 90 % of its attention weight: it "
                       "averages. A single one needs one key, or less than a tenth of them; metastable heads "
                       "average over a part of the keys."},
           {.name = "entropy",
            .chart = layers_over_steps("Mean entropy of the attention weights", "entropy (nats)",
                                       result.steps, &HeadStatistics::entropy),
            .caption = fmt::format("The entropy of an average over n keys is log n, on average over the "
                                   "queries {:.2f} nats. It falls as heads select keys. At {} the mean over "
                                   "the heads is {:.2f} nats.",
                                   model.averaging_entropy, first_name(result.steps),
                                   learning::statistics_of(result.steps.front().heads).entropy)},
           {.name = "betas",
            .chart = layers_over_steps("Mean effective beta", "effective beta", result.steps,
                                       &HeadStatistics::mean_beta),
            .caption =
                "The effective beta of a head is the largest score of the last query, here the largest "
                "over the windows; the line is the mean over the heads of a layer."}},
      .notes = {"The published study is of BERT with 12 layers, and of heads of larger texts. Which layers "
                "average in a small character model is measured here, and not compared."}};
  if (const int64_t first = result.steps.front().step; first > 0) {
    outcome.notes.push_back(fmt::format(
        "The first checkpoint of this run is of step {}: heads before and early in training are not "
        "shown. A run has a series of checkpoints with `mneme train lm --save-every N --keep M`, "
        "such as --steps 2000 --save-every 100 --keep 20.",
        first));
  }
  add_given(outcome, settings);
  return outcome;
}

} // namespace

Experiment transformer_training() {
  return {.id = "transformer/training",
          .title = "Attention heads leave averaging during training",
          .claim = "Learning starts with attention heads that average, and then most of them switch to "
                   "metastable states.",
          .source = "Ramsauer et al. 2020, abstract and section on the analysis of transformers",
          .is_parallel = true,
          .needs_torch = true,
          .run = run,
          .inputs = study_inputs,
          .parameters = {model_parameter("Run folder of mneme train lm --model gpt2 with checkpoints, or a "
                                         "model folder"),
                         text_parameter(), steps_parameter(kQuickSteps, kSteps)}};
}

} // namespace mneme::experiments
