// SPDX-License-Identifier: MIT

/// Betas and kinds of fixed points of attention heads before and after fine-tuning.

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "experiments/given_points.h"
#include "experiments/transformer/study_texts.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme::experiments {
namespace {

using learning::HeadsInspection;
using learning::HeadStatistics;
using learning::HeadSummary;
using theory::FixedPoint;

constexpr std::array kKinds = {FixedPoint::global, FixedPoint::metastable, FixedPoint::single};

/// The same head of both models.
struct HeadPair {
  HeadSummary before, after;
};

/// Errors  DataError if the models are of other types or have other numbers of layers or heads
std::vector<HeadPair> pairs_of(const HeadsInspection& before, const HeadsInspection& after) {
  if (before.type != after.type) {
    throw DataError(
        fmt::format("--fine-tuned: the model is {}, but that of --model is {}.\n  Give two models of "
                    "which one was trained from the other.",
                    after.type, before.type));
  }
  if (before.layers != after.layers || before.heads_per_layer != after.heads_per_layer) {
    throw DataError(
        fmt::format("--fine-tuned: the model has {} layers of {} heads, but that of --model {} of "
                    "{}.\n  Give two models of which one was trained from the other.",
                    after.layers, after.heads_per_layer, before.layers, before.heads_per_layer));
  }
  const std::vector<HeadSummary> first = learning::summaries(before.texts),
                                 second = learning::summaries(after.texts);
  std::vector<HeadPair> pairs;
  for (size_t i = 0; i < first.size(); ++i) {
    pairs.push_back({first[i], second[i]});
  }
  return pairs;
}

TitledTable layers_table(const HeadsInspection& before, const HeadsInspection& after) {
  TitledTable table{.title =
                        "Layers before and after fine-tuning (share of keys: those that carry 90 % of the "
                        "weight)",
                    .table = {.columns = {{.name = "layer"}}}};
  for (const char* when : {"before", "after"}) {
    const auto key = [&](const char* name) { return fmt::format("{}_{}", name, when); };
    for (const report::Column& column :
         {report::Column{.name = fmt::format("mean beta {}", when), .key = key("mean_beta"), .digits = 3},
          {.name = fmt::format("entropy {} (nats)", when), .key = key("entropy"), .digits = 3},
          {.name = fmt::format("share of keys {}", when),
          .key = key("keys_share"),
          .notation = report::Notation::percent,
          .digits = 0}}) {
      table.table.columns.push_back(column);
    }
  }
  const auto first = learning::statistics_by_layer(learning::summaries(before.texts)),
             second = learning::statistics_by_layer(learning::summaries(after.texts));
  for (const auto& [layer, own] : first) {
    const HeadStatistics& later = second.at(layer);
    table.table.rows.push_back({layer, own.mean_beta, own.entropy, own.keys_share, later.mean_beta,
                                later.entropy, later.keys_share});
  }
  return table;
}

TitledTable kinds_table(const std::vector<HeadPair>& pairs) {
  TitledTable table{.title = "Number of heads by kind before (rows) and after (columns) fine-tuning",
                    .table = {.columns = {{.name = "before"}}}};
  for (const FixedPoint kind : kKinds) {
    table.table.columns.push_back({.name = std::string(theory::name_of(kind))});
  }
  for (const FixedPoint before : kKinds) {
    std::vector<report::Cell>& row = table.table.rows.emplace_back();
    row = {std::string(theory::name_of(before))};
    for (const FixedPoint after : kKinds) {
      int64_t count = 0;
      for (const HeadPair& pair : pairs) {
        count += pair.before.kind == before && pair.after.kind == after ? 1 : 0;
      }
      row.emplace_back(count);
    }
  }
  return table;
}

/// One point per head, by its kind before fine-tuning.
report::Chart scatter(const std::string& title, const std::string& axis, const std::vector<HeadPair>& pairs,
                      double (*value)(const HeadSummary&)) {
  report::LineChart chart{.title = title,
                          .description = fmt::format("One point per head: {} before and after.", axis),
                          .x = {.title = axis + " before"},
                          .y = {.title = axis + " after"},
                          .series_title = "kind before"};
  double low = value(pairs.front().before), high = low;
  for (const HeadPair& pair : pairs) {
    low = std::min({low, value(pair.before), value(pair.after)});
    high = std::max({high, value(pair.before), value(pair.after)});
  }
  for (const FixedPoint kind : kKinds) {
    report::Series series{.name = std::string(theory::name_of(kind)), .style = report::SeriesStyle::points};
    for (const HeadPair& pair : pairs) {
      if (pair.before.kind == kind) {
        series.points.push_back({value(pair.before), exact_point(value(pair.after))});
      }
    }
    if (!series.points.empty()) {
      chart.series.push_back(std::move(series));
    }
  }
  chart.series.push_back({.name = "equal",
                          .points = {{low, exact_point(low)}, {high, exact_point(high)}},
                          .style = report::SeriesStyle::dashed_line});
  return report::to_chart(chart);
}

Outcome run(const RunSettings& settings, Progress& progress) {
  if (!settings.has_given("model") || !settings.has_given("fine-tuned")) {
    return {.skipped = "give two models, of which one was fine-tuned from the other, with --model and "
                       "--fine-tuned; docs/how-to/inspect_a_transformer.md has an example."};
  }
  const GivenTexts texts = given_texts(settings);
  const HeadsInspection before = inspect_given(settings.path_of("model"), texts, progress),
                        after = inspect_given(settings.path_of("fine-tuned"), texts, progress);
  const std::vector<HeadPair> pairs = pairs_of(before, after);
  double mean_change = 0, mean_absolute_change = 0;
  for (const HeadPair& pair : pairs) {
    const double change = (pair.after.beta - pair.before.beta) / static_cast<double>(pairs.size());
    mean_change += change;
    mean_absolute_change += std::abs(change);
  }
  Outcome outcome{
      .parameters = {{"models", fmt::format("{} with {} layers of {} heads of {} features", before.type,
                                            before.layers, before.heads_per_layer, before.head_size)},
                     {"texts", texts.source}},
      .tables = {layers_table(before, after), kinds_table(pairs)},
      .figures =
          {{.name = "betas",
            .chart = scatter("Effective betas before and after fine-tuning", "effective beta", pairs,
                             [](const HeadSummary& head) { return head.beta; }),
            .caption = fmt::format(
                "Each point is a head. Its effective beta is the largest input of the softmax for the "
                "last token, of several texts the largest. Heads far from the dashed line are those that "
                "fine-tuning changes; the mean change is {:.3g}, and the mean absolute change is {:.3g}.",
                mean_change, mean_absolute_change)},
           {.name = "entropies",
            .chart = scatter("Entropy of the attention weights before and after fine-tuning",
                             "entropy (nats)", pairs, [](const HeadSummary& head) { return head.entropy; }),
            .caption =
                "Each point is a head. The entropy of its attention weights is log n for an average over "
                "n keys, and 0 for a single key: a head below the dashed line reads fewer keys after "
                "fine-tuning."}},
      .notes = {
          "The paper describes learning during training, but has no table for fine-tuning, so no value is "
          "compared."}};
  add_given(outcome, settings);
  return outcome;
}

} // namespace

Experiment transformer_fine_tuning() {
  ParameterInfo model = model_parameter("Model folder before fine-tuning (GPT-2, BERT, ALBERT)");
  model.is_required = true;
  return {
      .id = "transformer/fine-tuning",
      .title = "Attention heads before and after fine-tuning",
      .claim =
          "Heads in the last layers steadily learn, and collect information of lower layers in metastable "
          "states.",
      .source = "Ramsauer et al. 2020, abstract",
      .is_parallel = true,
      .needs_torch = true,
      .run = run,
      .inputs = study_inputs,
      .parameters = {model,
                     {.name = "fine-tuned",
                      .help = "Model folder after fine-tuning",
                      .published = "none",
                      .path = "DIR",
                      .is_required = true},
                     texts_parameter(),
                     tokens_parameter(),
                     text_parameter()}};
}

} // namespace mneme::experiments
