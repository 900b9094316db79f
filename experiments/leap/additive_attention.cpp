// SPDX-License-Identifier: MIT

/// Additive attention with and without windows, compared with GPT-2 of the same size.

#include <array>
#include <cmath>

#include <fmt/format.h>

#include "experiments/leap/language_study.h"
#include "experiments/published.h"

namespace mneme::experiments {
namespace {

constexpr StudyDefault kSteps{.quick = 80, .full = 4000};
constexpr StudyDefault kWidth{.quick = 32, .full = 64};
constexpr int64_t kHeads = 2, kLayers = 6;
constexpr double kPublishedStd = 0.02; // of the initial weights
constexpr double kRescale = 10;        // of the published model with windows, and of LEAP
constexpr double kGlobalRescale = 15;

struct Kind {
  const char* name;
  int64_t published; ///< row of the published table; -1: none
  TrialModel model;
};

std::vector<Kind> kinds_of(int64_t width) {
  const TrialModel base{.width = width, .heads = kHeads, .layers = kLayers};
  std::vector<Kind> kinds = {{"additive attention, all tokens", 0, base},
                             {"additive attention, windows", 1, base},
                             {"GPT-2", 2, base},
                             {"LEAP", -1, base}};
  for (Kind& kind : kinds) {
    kind.model.initial_std = kPublishedStd;
  }
  kinds[0].model.type = kinds[1].model.type = "fastformer";
  kinds[0].model.windows.assign(kLayers, 0);
  kinds[0].model.rescale = kGlobalRescale;
  kinds[1].model.rescale = kRescale; // windows: all, 4, 8, 16, 32, all
  kinds[2].model.type = "gpt2";
  kinds[3].model.rescale = kRescale;
  kinds[3].model.initial_std.reset();
  return kinds;
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const StudyData text = study_data(settings);
  const int64_t seeds = seeds_of(settings), steps = settings.value_of("steps", kSteps.of(settings)),
                width = settings.value_of("width", kWidth.of(settings));
  const std::vector<Kind> kinds = kinds_of(width);
  std::vector<Studied> models;
  for (const Kind& kind : kinds) {
    models.push_back({.name = kind.name, .model = kind.model, .steps = steps});
  }
  const std::map<std::string, StudiedResult> results = train_models(text, models, seeds, settings, progress);
  const nlohmann::json& rows = published("leap_language").at("additive");
  const auto published_loss = [&](int64_t row) { // the logarithm of the perplexity
    return std::log(rows.at(static_cast<size_t>(row)).at("perplexities").back().get<double>());
  };

  report::Table table{
      .columns = {{.name = "model"},
                  {.name = "parameters without embeddings", .key = "parameters"},
                  {.name = "measured loss (nats per byte)", .key = "loss", .digits = 4},
                  {.name = "minus that of GPT-2", .key = "difference", .digits = 3},
                  {.name = "published loss (nats per token)", .key = "published", .digits = 4},
                  {.name = "minus that of GPT-2, published", .key = "published_difference", .digits = 3}}};
  report::BarChart chart{.title = "Loss minus the loss of GPT-2",
                         .description = "Measured and published differences of each model from GPT-2.",
                         .category_title = "model",
                         .value = {.title = "difference (nats per token)"},
                         .series_title = "numbers"};
  const StudiedResult& gpt2 = results.at("GPT-2");
  for (const Kind& kind : kinds) {
    const StudiedResult& result = results.at(kind.name);
    const trials::MeanInterval difference = loss_difference(result, gpt2);
    std::vector<report::Cell>& row = table.rows.emplace_back();
    row = {kind.name, result.parameters(), cell(result.loss()), cell(difference)};
    const bool is_gpt2 = kind.name == std::string_view("GPT-2");
    if (!is_gpt2) {
      chart.bars.push_back({.category = kind.name, .series = "measured", .value = estimate_of(difference)});
    }
    if (kind.published < 0) {
      row.resize(table.columns.size());
      continue;
    }
    const double theirs = published_loss(kind.published) - published_loss(2);
    row.emplace_back(published_loss(kind.published));
    row.emplace_back(theirs);
    if (!is_gpt2) {
      chart.bars.push_back({.category = kind.name, .series = "published", .value = exact_point(theirs)});
    }
  }
  ComparisonTable comparison{.title = "Additive attention compared with GPT-2",
                             .source = "LEAP, README of the additive attention: perplexities after 25 epochs",
                             .tolerance = sign_tolerance()};
  for (size_t i = 0; i < 2; ++i) {
    comparison.rows.push_back(compare_sign(fmt::format("{}: loss minus that of GPT-2", kinds[i].name),
                                           published_loss(kinds[i].published) - published_loss(2),
                                           loss_difference(results.at(kinds[i].name), gpt2)));
  }
  skip_short_run(comparison, settings, steps, kSteps);
  Outcome outcome{
      .parameters = {{"models",
                      fmt::format("width {}, {} heads, {} layers; additive attention with windows: all, 4, "
                                  "8, 16, 32, all; LEAP: all, 4, 8, 16, all, 4",
                                  width, kHeads, kLayers)},
                     {"rescale",
                      fmt::format("{:.0f} without windows, {:.0f} with windows and for LEAP, as published",
                                  kGlobalRescale, kRescale)},
                     {"steps", std::to_string(steps)}},
      .comparisons = {std::move(comparison)},
      .tables = {{"Losses after training", std::move(table)}},
      .figures = {{.name = "difference",
                   .chart = to_chart(chart),
                   .caption = "Bars to the left of 0: a smaller loss than GPT-2."}},
      .notes = {
          "The published models have a width of 128 and 4 heads, with rows of 2048 tokens of T5, dropout "
          "0.1, "
          "and 25 epochs of WikiText-2; one seed each. LEAP was developed later, and is not in that table.",
          "The initial weights of additive attention and GPT-2 have the published standard deviation of "
          "0.02, "
          "those of LEAP 1 / sqrt(width)."}};
  add_study_parameters(outcome, settings, text, seeds, results);
  return outcome;
}

} // namespace

Experiment leap_additive_attention() {
  return study_experiment(
      {.id = "leap/additive-attention",
       .title = "Additive attention compared with GPT-2",
       .claim = "Additive attention has a larger loss than GPT-2 of the same size if each layer has all "
                "tokens, and "
                "a smaller loss with windows.",
       .source = "LEAP (github.com/mtanghu/LEAP), README of the additive attention (Fastformer)",
       .run = run},
      fmt::format("128; mneme {}, with --quick {}", kWidth.full, kWidth.quick), kSteps);
}

} // namespace mneme::experiments
