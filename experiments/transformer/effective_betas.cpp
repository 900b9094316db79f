// SPDX-License-Identifier: MIT

#include "experiments/transformer/effective_betas.h"

#include <algorithm>
#include <limits>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/given_points.h"
#include "experiments/published.h"
#include "experiments/transformer/head_study.h"
#include "experiments/transformer/study_texts.h"
#include "learning/head_figures.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme::experiments {
namespace {

using learning::HeadsInspection;
using learning::HeadSummary;
using learning::TextHeads;
using nlohmann::json;

constexpr int64_t kQuickSteps = 200, kSteps = 1000;

/// Heads of a model on texts, from a folder or trained here.
struct Measured {
  HeadsInspection inspection;
  std::string model, texts; ///< for readers
};

Measured measure_given(const RunSettings& settings, Progress& progress) {
  const GivenTexts texts = given_texts(settings);
  return {.inspection = inspect_given(settings.path_of("model"), texts, progress), .texts = texts.source};
}

Measured measure_trained(const RunSettings& settings, Progress& progress) {
  HeadStudy study{.steps = study_steps(settings, kQuickSteps, kSteps), .seed = settings.seed};
  StudyTexts texts = study_texts(settings);
  study.training = std::move(texts.training);
  study.held_out = std::move(texts.held_out);
  const TrainingStudy result = study_training(study, progress);
  return {.inspection = {.type = "gpt2",
                         .layers = result.model.layers,
                         .heads_per_layer = result.model.heads_per_layer,
                         .head_size = result.model.head_size,
                         .vocab_size = result.model.vocab_size,
                         .parameters = result.model.parameters,
                         .texts = result.last_texts},
          .model = fmt::format(", trained here for {} steps on one token per byte; --model uses another one",
                               study.steps),
          .texts = fmt::format("{} held-out windows of {}", result.last_texts.size(), texts.source)};
}

/// The published model with these sizes, and its name; null if there is none.
std::pair<std::string, const json*> published_model(const HeadsInspection& inspection) {
  for (const auto& [name, model] : published("transformer_betas").at("models").items()) {
    if (inspection.type == "gpt2" && model.at("layers") == inspection.layers &&
        model.at("heads_per_layer") == inspection.heads_per_layer &&
        model.at("head_dim") == inspection.head_size && model.at("vocab_size") == inspection.vocab_size) {
      return {name, &model};
    }
  }
  return {"", nullptr};
}

/// Mean beta over the heads of each layer, for one text.
std::vector<double> layer_means(const TextHeads& text, int64_t layers) {
  std::vector<double> sums(static_cast<size_t>(layers)), counts(sums);
  for (const theory::HeadReading& head : text.heads) {
    sums[static_cast<size_t>(head.layer)] += head.last.beta;
    counts[static_cast<size_t>(head.layer)] += 1;
  }
  for (size_t layer = 0; layer < sums.size(); ++layer) {
    sums[layer] /= counts[layer];
  }
  return sums;
}

/// Range of the number of published heads above a beta: the bin that contains it may be on either side.
std::pair<double, double> count_above(const json& histogram, double beta) {
  const double lowest = histogram.at("lowest"), highest = histogram.at("highest"),
               width = (highest - lowest) / histogram.at("bins").get<double>();
  double certain = 0, possible = 0, from = lowest;
  for (const double count : histogram.at("counts")) {
    certain += from >= beta ? count : 0;
    possible += from + width > beta ? count : 0;
    from += width;
  }
  return {certain, possible};
}

} // namespace

std::vector<ComparisonTable> compare_with_published(const HeadsInspection& inspection) {
  const auto [found, model] = published_model(inspection);
  if (model == nullptr) {
    return {};
  }
  const std::string& name = found;
  const std::vector<HeadSummary> heads = learning::summaries(inspection.texts);
  std::vector<int64_t> lengths;
  for (const TextHeads& text : inspection.texts) {
    lengths.push_back(text.tokens);
  }
  const auto expected =
      published("transformer_betas").at("text_lengths_in_tokens").get<std::vector<int64_t>>();
  const std::string not_compared =
      lengths == expected
          ? ""
          : fmt::format("the texts have {} tokens, but the nine published ones {} with the tokenizer "
                        "of GPT-2; `mneme data get sdm` downloads those, and --texts sdm uses them",
                        fmt::join(lengths, ", "), fmt::join(expected, ", "));
  const auto table_of = [&](const std::string& what, const std::string& tolerance) {
    return ComparisonTable{.title = fmt::format("{}: {}", name, what),
                           .source = "Transformer_Empirical_Analysis, figures",
                           .tolerance = tolerance,
                           .not_compared = not_compared};
  };
  const auto add = [](ComparisonTable& table, std::string what, double value, double measured,
                      double tolerance) {
    table.rows.push_back({.what = std::move(what),
                          .published = value,
                          .measured = exact_mean(measured),
                          .tolerance = tolerance});
  };
  constexpr double kLine = 0.15, kPeak = 0.4, kOverlap = 0.3, kTall = 40;

  ComparisonTable largest = table_of("largest beta of each layer, over heads and texts",
                                     "0.15 for reading the figure, and 0.4 at peaks above 40.");
  for (const auto& [layer, own] : learning::statistics_by_layer(heads)) {
    const double value = model->at("max_by_layer").at(static_cast<size_t>(layer));
    add(largest, fmt::format("layer {}", layer), value, own.max_beta, value > kTall ? kPeak : kLine);
  }
  ComparisonTable first = table_of("mean beta of each layer, first text", "0.15 for reading the figure.");
  ComparisonTable rest = table_of("mean beta of each layer, lowest and highest of the other texts",
                                  "0.3 for reading overlapping lines.");
  const std::vector<double> first_means = layer_means(inspection.texts.front(), inspection.layers);
  for (size_t layer = 0; layer < first_means.size(); ++layer) {
    add(first, fmt::format("layer {}", layer), model->at("mean_by_layer_text0").at(layer), first_means[layer],
        kLine);
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const TextHeads& text : std::span(inspection.texts).subspan(inspection.texts.size() > 1 ? 1 : 0)) {
      const double mean = layer_means(text, inspection.layers)[layer];
      low = std::min(low, mean);
      high = std::max(high, mean);
    }
    add(rest, fmt::format("layer {}, lowest", layer), model->at("mean_by_layer_texts1to8_lowest").at(layer),
        low, kOverlap);
    add(rest, fmt::format("layer {}, highest", layer), model->at("mean_by_layer_texts1to8_highest").at(layer),
        high, kOverlap);
  }
  const json& histogram = model->at("head_max_histogram");
  ComparisonTable counts = table_of("histogram of the largest beta of each head, over texts",
                                    "Half of the heads in the bin that contains the line, which may be on "
                                    "either side; 0.15 for the lowest, 0.4 for the highest beta.");
  const auto [low, high] = std::ranges::minmax_element(heads, {}, &HeadSummary::beta);
  add(counts, "lowest beta", histogram.at("lowest"), low->beta, kLine);
  add(counts, "highest beta", histogram.at("highest"), high->beta, kPeak);
  for (const learning::ReferenceBeta& reference : learning::kReferenceBetas) {
    const auto [certain, possible] = count_above(histogram, reference.beta);
    const auto above =
        std::ranges::count_if(heads, [&](const HeadSummary& head) { return head.beta > reference.beta; });
    add(counts, fmt::format("heads above {}", reference.beta), (certain + possible) / 2,
        static_cast<double>(above), (possible - certain) / 2);
  }
  return {std::move(largest), std::move(first), std::move(rest), std::move(counts)};
}

namespace {

Outcome run(const RunSettings& settings, Progress& progress) {
  for (const char* name : {"texts", "tokens"}) {
    if (settings.has_given(name) && !settings.has_given("model")) {
      throw UsageError(
          fmt::format("--{} has no effect without --model: the small model that is trained here reads "
                      "the end of its own text.\n  Give a model as well, or another text with --text.",
                      name));
    }
  }
  static_cast<void>(study_steps(settings, kQuickSteps, kSteps)); // refuses --steps with --model
  const Measured measured =
      settings.has_given("model") ? measure_given(settings, progress) : measure_trained(settings, progress);
  const HeadsInspection& inspection = measured.inspection;
  const std::vector<HeadSummary> heads = learning::summaries(inspection.texts);
  std::vector<int64_t> lengths;
  for (const TextHeads& text : inspection.texts) {
    lengths.push_back(text.tokens);
  }
  Outcome outcome{
      .parameters = {{"model",
                      fmt::format("{} with {} layers of {} heads of {} features, {} words, {} parameters{}",
                                  inspection.type, inspection.layers, inspection.heads_per_layer,
                                  inspection.head_size, inspection.vocab_size, inspection.parameters,
                                  measured.model)},
                     {"texts", measured.texts},
                     {"tokens of the texts", fmt::format("{}", fmt::join(lengths, ", "))},
                     {"effective beta",
                      "the largest input of the softmax for the query of the last token, as published"}},
      .tables = {{.title = "Layers (the beta of a head is the largest over texts; share of keys: those that "
                           "carry 90 % of the weight)",
                  .table = learning::layers_table(heads)}},
      .figures =
          {{.name = "betas",
            .chart = learning::beta_histogram(heads),
            .caption =
                "Number of heads by effective beta: the largest input of the softmax for the last token, of "
                "several texts the largest. The larger it is, the smaller a neighbourhood of the query a "
                "head can select. Dashed lines: the betas of Sparse Distributed Memory whose Hamming radius "
                "is the best one for recall from the noisiest cues (critical distance), for the "
                "signal-to-noise ratio, and for the number of patterns (memory capacity). In GPT-2, most "
                "heads are below the smallest of these lines, and a long tail reaches beyond the largest."},
           {.name = "mean-by-layer",
            .chart = learning::layer_curves(inspection.texts, false),
            .caption =
                "Mean of the effective betas of the heads of a layer, one line per text; dashed lines as in "
                "the first figure. Longer texts have larger betas, because a beta is a maximum over keys."},
           {.name = "max-by-layer",
            .chart = learning::layer_curves(inspection.texts, true),
            .caption = "The largest effective beta among the heads of a layer, one line per text."},
           {.name = "kinds",
            .chart = learning::kinds_chart(heads),
            .caption =
                "Each point is a head: its effective beta, and the share of the keys that carry 90 % of its "
                "attention weight. A global head needs more than half of the keys, so that it averages; a "
                "single one needs one key, or less than a tenth of them; metastable heads average over a "
                "part of the keys."}},
      .notes = {
          "The effective beta is a lower bound of |q| max |k| / sqrt(d), with equality if the nearest key "
          "is parallel to the query and the longest. It grows with the number of tokens."}};
  outcome.comparisons = compare_with_published(inspection);
  if (outcome.comparisons.empty()) {
    outcome.notes.emplace_back(
        "Published figures are of gpt2-small and gpt2-large; this model has other sizes, so "
        "that nothing is compared.");
  }
  for (const std::string& note : inspection.notes) {
    outcome.notes.push_back(printable(note));
  }
  add_given(outcome, settings);
  return outcome;
}

} // namespace

Experiment transformer_effective_betas() {
  return {
      .id = "transformer/effective-betas",
      .title = "Effective betas of attention heads",
      .claim = "The effective betas of most heads of GPT-2 are near or below those of the Sparse Distributed "
               "Memory with optimal Hamming radii, with a tail of large betas in early layers.",
      .source = "Bricken & Pehlevan 2021, notebook Transformer_Empirical_Analysis",
      .is_parallel = true,
      .needs_torch = true,
      .run = run,
      .inputs = study_inputs,
      .parameters = {model_parameter("Model folder of Hugging Face (GPT-2, BERT, ALBERT) or run folder of "
                                     "mneme train lm --model gpt2"),
                     texts_parameter(), tokens_parameter(), text_parameter(),
                     steps_parameter(kQuickSteps, kSteps)}};
}

} // namespace mneme::experiments
