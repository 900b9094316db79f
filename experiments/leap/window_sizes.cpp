// SPDX-License-Identifier: MIT

/// Loss of LEAP by the windows of its layers.

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

#include "experiments/leap/language_study.h"
#include "experiments/published.h"
#include "mneme/trials/rank_correlation.h"

namespace mneme::experiments {
namespace {

constexpr StudyDefault kSteps{.quick = 80, .full = 2000};
constexpr StudyDefault kWidth{.quick = 32, .full = 64};
constexpr int64_t kHeads = 2;
constexpr double kRescale = 10;

using Windows = std::vector<int64_t>;

/// The lists of windows of a quick run.
const std::vector<Windows> kQuickWindows = {
    {0, 4, 0}, {0, 8, 0}, {0, 4, 8, 0}, {4, 8, 16, 0, 4, 8, 16, 0}, {0, 4, 8, 16, 4, 8, 16, 0}};

/// Pairs of lists whose order is a published conclusion: the first one has the smaller loss.
struct Conclusion {
  const char* what;
  Windows smaller, larger;
};
const std::array<Conclusion, 3> kConclusions = {
    {{"the first layer has all tokens: 8 layers with and without",
      {0, 4, 8, 16, 4, 8, 16, 0},
      {4, 8, 16, 0, 4, 8, 16, 0}},
     {"the second window is 4 instead of 8, in 3 layers", {0, 4, 0}, {0, 8, 0}},
     {"the windows begin with 4 instead of 8, in 9 layers",
      {0, 4, 16, 0, 4, 16, 0, 4, 0},
      {0, 8, 16, 0, 8, 16, 0, 8, 0}}}};

std::string name_of(const Windows& windows) {
  std::string name;
  for (const int64_t window : windows) {
    name += (name.empty() ? "" : " ") + (window == 0 ? "all" : std::to_string(window));
  }
  return name;
}

struct PublishedLoss {
  Windows windows;
  double loss;
};

std::vector<PublishedLoss> published_losses(bool quick) {
  std::vector<PublishedLoss> all;
  for (const nlohmann::json& row : published("leap_language").at("windows")) {
    const auto windows = row.at("windows").get<Windows>();
    if (!quick || std::ranges::find(kQuickWindows, windows) != kQuickWindows.end()) {
      all.push_back({windows, row.at("losses").back().get<double>()});
    }
  }
  return all;
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const StudyData text = study_data(settings);
  const int64_t seeds = seeds_of(settings), steps = settings.value_of("steps", kSteps.of(settings)),
                width = settings.value_of("width", kWidth.of(settings));
  const std::vector<PublishedLoss> all = published_losses(settings.quick);
  std::vector<Studied> models;
  for (const PublishedLoss& each : all) {
    models.push_back({.name = name_of(each.windows),
                      .model = {.type = "leap",
                                .width = width,
                                .heads = kHeads,
                                .layers = std::ssize(each.windows),
                                .windows = each.windows,
                                .rescale = kRescale,
                                .gated = false},
                      .steps = steps});
  }
  const std::map<std::string, StudiedResult> results = train_models(text, models, seeds, settings, progress);

  report::Table table{
      .columns = {{.name = "windows of the layers", .key = "windows"},
                  {.name = "layers"},
                  {.name = "measured loss (nats per byte)", .key = "loss", .digits = 4},
                  {.name = "published loss (nats per token)", .key = "published", .digits = 5}}};
  report::LineChart chart{.title = "Measured and published losses of lists of windows",
                          .description = "One point per list of windows: published and measured loss.",
                          .x = {.title = "published loss (nats per token of T5)"},
                          .y = {.title = "measured loss (nats per byte)"},
                          .series_title = "layers",
                          .intervals = report::IntervalStyle::bars};
  std::map<int64_t, report::Series> by_layers;
  std::vector<double> ours, theirs;
  for (const PublishedLoss& each : all) {
    const std::string name = name_of(each.windows);
    const trials::MeanInterval loss = results.at(name).loss();
    const int64_t layers = std::ssize(each.windows);
    table.rows.push_back({name, layers, cell(loss), each.loss});
    by_layers[layers].points.push_back({each.loss, estimate_of(loss)});
    if (!results.at(name).losses().empty()) {
      ours.push_back(loss.mean);
      theirs.push_back(each.loss);
    }
  }
  for (auto& [layers, series] : by_layers) {
    series.name = fmt::format("{} layers", layers);
    series.style = report::SeriesStyle::points;
    chart.series.push_back(std::move(series));
  }
  ComparisonTable comparison{.title = "Windows with the smaller loss",
                             .source = "LEAP, notebook WindowSizes, after 10 epochs",
                             .tolerance = sign_tolerance()};
  for (const Conclusion& conclusion : kConclusions) {
    const auto loss_of = [&](const Windows& windows) {
      return std::ranges::find(all, windows, &PublishedLoss::windows);
    };
    const auto smaller = loss_of(conclusion.smaller), larger = loss_of(conclusion.larger);
    if (smaller != all.end() && larger != all.end()) {
      comparison.rows.push_back(compare_sign(
          fmt::format("{}: difference of the losses", conclusion.what), smaller->loss - larger->loss,
          loss_difference(results.at(name_of(conclusion.smaller)), results.at(name_of(conclusion.larger)))));
    }
  }
  skip_short_run(comparison, settings, steps, kSteps);
  const double correlation = ours.size() > 1 ? trials::rank_correlation(ours, theirs) : 0;
  Outcome outcome{
      .parameters = {{"models",
                      fmt::format("LEAP with exponential weights, rescale {:.0f} and an open gate, width "
                                  "{}, {} heads",
                                  kRescale, width, kHeads)},
                     {"steps", std::to_string(steps)}},
      .comparisons = {std::move(comparison)},
      .tables = {{"Losses by the windows of the layers, in tokens", std::move(table)},
                 {"Order of the lists",
                  {.columns = {{.name = "lists"},
                               {.name = "rank correlation of measured and published losses",
                                .key = "rank_correlation",
                                .digits = 3}},
                   .rows = {{std::ssize(ours), correlation}}}}},
      .figures = {{.name = "windows",
                   .chart = to_chart(chart),
                   .caption =
                       fmt::format("If the order of the lists were as published, points would rise from left "
                                   "to right. Rank correlation: {:.2f}.",
                                   correlation)}},
      .notes = {
          "The published models have a width of 128, rows of 2048 tokens of T5, dropout 0.1 and 10 epochs of "
          "WikiText-2; one seed each, and the table lists one of them twice. Losses are therefore compared "
          "by "
          "their order alone.",
          "The code of this experiment computed the gate, and returned the readout without it. These models "
          "have no gate either."}};
  add_study_parameters(outcome, settings, text, seeds, results);
  return outcome;
}

} // namespace

Experiment leap_window_sizes() {
  return study_experiment(
      {.id = "leap/window-sizes",
       .title = "Loss by the windows of the layers",
       .claim = "The first layer should have all tokens; then the windows 4, 8 and 16 follow, and repeat.",
       .source = "LEAP (github.com/mtanghu/LEAP), notebook WindowSizes",
       .run = run},
      fmt::format("128; mneme {}, with --quick {}", kWidth.full, kWidth.quick), kSteps);
}

} // namespace mneme::experiments
