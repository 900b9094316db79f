// SPDX-License-Identifier: MIT

/// The loss after heads that average are replaced by a Gaussian weighting of positions.

#include <algorithm>
#include <iterator>
#include <span>

#include <fmt/format.h>

#include "experiments/given_points.h"
#include "experiments/transformer/head_study.h"
#include "experiments/transformer/study_texts.h"

namespace mneme::experiments {
namespace {

constexpr int64_t kQuickSteps = 200, kSteps = 3000;
constexpr int64_t kQuickDraws = 3, kDraws = 10;

/// Increase of the loss over the draws of heads at random.
trials::MeanInterval at_random(const ReplacementStudy& study, size_t index) {
  std::vector<double> losses;
  for (const std::vector<double>& draw : study.at_random) {
    losses.push_back(draw[index] - study.loss);
  }
  return trials::mean_interval(losses);
}

TitledTable costs_table(const ReplacementStudy& study) {
  TitledTable table{
      .title = fmt::format("Increase of the held-out loss, in nats per token (complete model: {:.4f}), by "
                           "number of replaced heads and their order",
                           study.loss),
      .table = {.columns = {{.name = "heads"},
                            {.name = "of them average", .key = "averaging"},
                            {.name = "most keys first", .key = "by_keys", .digits = 4},
                            {.name = "the same heads, equal weights", .key = "equal", .digits = 4},
                            {.name = "nearest to a Gaussian first", .key = "by_divergence", .digits = 4},
                            {.name = "at random", .key = "at_random", .digits = 4}}}};
  for (size_t i = 0; i < study.counts.size(); ++i) {
    const auto first = std::span(study.fitted).first(static_cast<size_t>(study.counts[i]));
    const int64_t averaging = std::ranges::count_if(
        first, [](const FittedHead& fitted) { return fitted.head.kind == theory::FixedPoint::global; });
    table.table.rows.push_back({study.counts[i], averaging, study.by_keys[i] - study.loss,
                                study.uniform[i] - study.loss, study.by_divergence[i] - study.loss,
                                cell(at_random(study, i))});
  }
  return table;
}

/// The distance over which weights decay by a factor e, if the centre of the Gaussian is far beyond the query
/// itself: its tail is then nearly exponential.
report::Cell decay_of(const theory::PositionGaussian& gaussian) {
  const bool is_tail = gaussian.mean < -gaussian.deviation;
  return is_tail ? report::Cell(gaussian.deviation * gaussian.deviation / -gaussian.mean) : report::Cell();
}

TitledTable heads_table(const ReplacementStudy& study) {
  TitledTable table{.title = "Heads, and the Gaussians nearest to their attention",
                    .table = {.columns = {{.name = "layer"},
                                          {.name = "head"},
                                          {.name = "kind"},
                                          {.name = "share of keys",
                                           .key = "keys_share",
                                           .notation = report::Notation::percent,
                                           .digits = 0},
                                          {.name = "mean distance", .key = "mean", .digits = 3},
                                          {.name = "standard deviation", .key = "deviation", .digits = 3},
                                          {.name = "decay (tokens)", .key = "decay", .digits = 3},
                                          {.name = "divergence (nats)", .key = "divergence", .digits = 3}}}};
  for (const FittedHead& fitted : study.fitted) {
    table.table.rows.push_back({fitted.head.layer, fitted.head.head,
                                std::string(theory::name_of(fitted.head.kind)),
                                fitted.head.keys_90 / fitted.head.keys, fitted.gaussian.mean,
                                fitted.gaussian.deviation, decay_of(fitted.gaussian), fitted.divergence});
  }
  return table;
}

report::Chart costs_chart(const ReplacementStudy& study) {
  report::LineChart chart{.title = "Cost of replacing heads by weights of positions",
                          .description = "Increase of the held-out loss by number of replaced heads.",
                          .x = {.title = "replaced heads"},
                          .y = {.title = "increase of the loss (nats per token)"},
                          .series_title = "replaced",
                          .intervals = report::IntervalStyle::bars};
  const auto series_of = [&](const char* name, const std::vector<double>& losses) {
    report::Series series{.name = name, .points = {{0, exact_point(0)}}};
    for (size_t i = 0; i < losses.size(); ++i) {
      series.points.push_back({static_cast<double>(study.counts[i]), exact_point(losses[i] - study.loss)});
    }
    return series;
  };
  report::Series random{.name = "at random", .points = {{0, exact_point(0)}}};
  for (size_t i = 0; i < study.counts.size(); ++i) {
    random.points.push_back({static_cast<double>(study.counts[i]), report::estimate_of(at_random(study, i))});
  }
  chart.series = {series_of("most keys first", study.by_keys),
                  series_of("the same, equal weights", study.uniform),
                  series_of("nearest to a Gaussian first", study.by_divergence), std::move(random)};
  return report::to_chart(chart);
}

/// One point per head: how far its attention is from a Gaussian.
report::Chart divergence_chart(const ReplacementStudy& study) {
  report::LineChart chart{.title = "Distance of attention from a Gaussian of positions",
                          .description =
                              "One point per head: share of keys that carry 90 % of the weight, and "
                              "divergence from the nearest Gaussian.",
                          .x = report::fraction_axis("keys that carry 90 % of the weight"),
                          .y = {.title = "divergence (nats)"},
                          .series_title = "kind of fixed point"};
  for (const theory::FixedPoint kind :
       {theory::FixedPoint::global, theory::FixedPoint::metastable, theory::FixedPoint::single}) {
    report::Series series{.name = std::string(theory::name_of(kind)), .style = report::SeriesStyle::points};
    for (const FittedHead& fitted : study.fitted) {
      if (fitted.head.kind == kind) {
        series.points.push_back({fitted.head.keys_90 / fitted.head.keys, exact_point(fitted.divergence)});
      }
    }
    if (!series.points.empty()) {
      chart.series.push_back(std::move(series));
    }
  }
  return report::to_chart(chart);
}

Outcome run(const RunSettings& settings, Progress& progress) {
  HeadStudy study{.model = settings.path_of("model"),
                  .steps = study_steps(settings, kQuickSteps, kSteps),
                  .held_out_tokens = settings.quick ? 4096 : 16384,
                  .seed = settings.seed};
  StudyTexts texts = study_texts(settings);
  study.training = std::move(texts.training);
  study.held_out = std::move(texts.held_out);
  const ReplacementStudy result = study_replacement(study, settings.quick ? kQuickDraws : kDraws, progress);
  const StudiedModel& model = result.model;
  Outcome outcome{
      .parameters =
          {{"model",
            fmt::format("GPT-2 with {} layers of {} heads of {} features, {} tokens, {} parameters{}",
                        model.layers, model.heads_per_layer, model.head_size, model.vocab_size,
                        model.parameters,
                        study.model.empty() ? fmt::format(", trained for {} steps", study.steps) : "")},
           {"text", texts.source},
           {"weights",
            "those of a Gaussian of the distance between query and key, fitted to the attention of "
            "the head on the training text; the model is not trained further"},
           {"loss", fmt::format("of {} held-out tokens in windows of {}", model.targets, model.length)}},
      .tables = {costs_table(result), heads_table(result)},
      .figures = {
          {.name = "cost",
           .chart = costs_chart(result),
           .caption =
               "Increase of the loss when the attention weights of more and more heads are replaced by "
               "weights that depend on the distance between two tokens alone. A head averages the more, the "
               "larger the share of keys that carries 90 % of its weight. Where the line of these heads is "
               "below that of heads at random (mean over draws with its 95 % interval), averaging heads can "
               "be replaced at a lower cost than others. The order that replaces the heads nearest to a "
               "Gaussian first depends on positions alone."},
          {.name = "divergence",
           .chart = divergence_chart(result),
           .caption = "The Kullback-Leibler divergence of the attention weights of a head from the "
                      "Gaussian that is nearest to them, mean over queries: 0 for a head that weights "
                      "keys by position alone."}}};
  if (std::ranges::none_of(result.fitted, [](const FittedHead& fitted) {
        return fitted.head.kind == theory::FixedPoint::global;
      })) {
    outcome.notes.push_back(
        "No head of this model averages: none needs more than half of the keys for 90 % of its attention "
        "weight. The heads that come nearest to it are replaced first.");
  }
  outcome.notes.push_back(
      "Most heads weight near tokens the most: the nearest Gaussian has its centre far beyond the query, and "
      "is "
      "there an exponential decay (last but one column: the distance over which it decays by a factor e).");
  outcome.notes.push_back(
      "The paper proposes the Gaussian weighting without a table of its cost, so no value "
      "is compared. Here the Gaussians are fitted to a trained model, which is not "
      "trained further.");
  add_given(outcome, settings);
  return outcome;
}

} // namespace

Experiment transformer_averaging_heads() {
  return {.id = "transformer/averaging-heads",
          .title = "The cost of replacing averaging heads by a Gaussian weighting",
          .claim =
              "The majority of heads in the first layers still averages and can be replaced by averaging "
              "operations like a Gaussian weighting of positions.",
          .source = "Ramsauer et al. 2020, abstract",
          .is_parallel = true,
          .needs_torch = true,
          .run = run,
          .inputs = study_inputs,
          .parameters = {model_parameter("Model folder of a GPT-2 model with its tokenizer"),
                         text_parameter(), steps_parameter(kQuickSteps, kSteps)}};
}

} // namespace mneme::experiments
