// SPDX-License-Identifier: MIT

/// Number of samples that each model needs to generalise, by context length and sparsity; and variants of the
/// MLP that generalise better.

#include <cmath>
#include <optional>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "learning/sparse_and.h"
#include "experiments/experiment.h"
#include "report/text.h"

namespace mneme::experiments {
namespace {

using training::BinaryModel;

constexpr double kGeneralises = 0.95; // minimum mean validation accuracy of a model that generalises

struct Grid {
  std::vector<int64_t> lengths, sparsities, samples;
  int64_t seeds;
};

/// Options with equally likely labels for every sparsity, so that settings are comparable.
training::SparseAndOptions setting(const BinaryModel& model, int64_t sparsity, int64_t samples, int64_t seeds,
                                   uint64_t seed) {
  training::SparseAndOptions options{
      .model = model, .sparsity = sparsity, .training_samples = samples, .seeds = seeds, .seed = seed};
  options.sampling = {.probability_of_one = std::pow(0.5, 1.0 / static_cast<double>(sparsity)),
                      .accept_last_try = true};
  options.schedule = learning::published_schedule(model.kind);
  options.schedule.record_every = options.schedule.epochs;
  return options;
}

/// Number of samples at which the curve first reaches kGeneralises, interpolated on a logarithmic scale.
std::optional<double> samples_needed(const report::Series& series) {
  for (size_t i = 0; i < series.points.size(); ++i) {
    if (series.points[i].y.value >= kGeneralises) {
      if (i == 0) {
        return series.points[0].x;
      }
      const auto& [x0, y0] = series.points[i - 1];
      const auto& [x1, y1] = series.points[i];
      const double fraction = (kGeneralises - y0.value) / (y1.value - y0.value);
      return x0 * std::pow(x1 / x0, fraction);
    }
  }
  return std::nullopt;
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const Grid grid = settings.quick ? Grid{{9, 17}, {1, 2}, {50, 200}, 4}
                                   : Grid{{9, 13, 17, 25}, {1, 2, 3}, {25, 50, 100, 200, 400, 800}, 16};
  Outcome outcome{
      .parameters = {
          {"inputs", "with a rule token; ones with probability (1/2)^(1/s), which balances the labels"},
          {"training", "as in the comparison: self-attention 2000 epochs, MLP 500 epochs"},
          {"seeds", fmt::format("{} from seed {}", grid.seeds, settings.seed)}}};
  report::Table needed{.columns = {{.name = "T"},
                                   {.name = "s"},
                                   {.name = "self-attention", .key = "self_attention", .digits = 3},
                                   {.name = "MLP", .key = "mlp", .digits = 3}}};
  progress.start("sample complexity", static_cast<int64_t>(2 * grid.lengths.size() * grid.sparsities.size() *
                                                           grid.samples.size()));
  for (const int64_t sparsity : grid.sparsities) {
    std::vector<report::Chart> panels;
    for (const int64_t length : grid.lengths) {
      report::LineChart chart{
          .title = fmt::format("T = {}, s = {}", length, sparsity),
          .description = "Validation accuracy over the number of training samples.",
          .x = {.title = "training samples", .logarithmic = true},
          .y = report::fraction_axis("validation accuracy"),
          .series_title = "model",
          .references = {{.at = kGeneralises, .label = "generalises", .horizontal = true}}};
      needed.rows.push_back({length, sparsity});
      for (const auto kind : {BinaryModel::Kind::self_attention, BinaryModel::Kind::mlp}) {
        const BinaryModel model = kind == BinaryModel::Kind::self_attention
                                      ? training::self_attention_model(length)
                                      : training::mlp_model(length);
        report::Series series{.name = learning::name_of(kind)};
        for (const int64_t samples : grid.samples) {
          Progress silent;
          const auto trials = training::train_sparse_and(
              setting(model, sparsity, samples, grid.seeds, settings.seed), silent);
          series.points.push_back({static_cast<double>(samples),
                                   estimate_of(learning::mean_of(trials, learning::validation_accuracy))});
          progress.advance();
        }
        const std::optional<double> count = samples_needed(series);
        needed.rows.back().push_back(count ? report::Cell(*count) : report::Cell());
        chart.series.push_back(std::move(series));
      }
      panels.push_back(to_chart(chart));
    }
    outcome.figures.push_back(
        {.name = fmt::format("accuracy-s{}", sparsity),
         .chart = to_chart(report::Panels{.title = fmt::format("Accuracy by number of samples, {} per rule",
                                                               report::counted(sparsity, "relevant bit")),
                                          .description = "One panel per context length T.",
                                          .charts = panels}),
         .caption =
             "A model generalises from the number of samples at which its curve crosses the dashed line; "
             "the further to the left, the fewer samples it needs."});
  }
  progress.finish();
  outcome.tables.push_back(
      {"Samples needed for a mean validation accuracy of 95 %, interpolated between the tested numbers on a "
       "logarithmic scale (a dash: more than the largest number tested)",
       needed});
  return outcome;
}

struct Variant {
  const char* name;
  BinaryModel model;
  double weight_decay = 0;
  int64_t epochs_factor = 1, samples_factor = 1;
};

/// Names the variants of the MLP (all groups from the third on) whose interval is above that of the MLP as
/// published, the second group.
std::string variants_caption(const std::vector<learning::LearningGroup>& groups) {
  const auto accuracy = [](const learning::LearningGroup& group) {
    return estimate_of(learning::mean_of(group.trials, learning::validation_accuracy));
  };
  const double published_high = accuracy(groups[1]).high;
  std::vector<std::string> better;
  for (const learning::LearningGroup& group : std::span(groups).subspan(2)) {
    if (accuracy(group).low > published_high) {
      better.push_back(group.name);
    }
  }
  return better.empty()
             ? "The interval of no variant is above that of the MLP as published."
             : fmt::format("Above the interval of the MLP as published: {}.", fmt::join(better, "; "));
}

Outcome run_variants(const RunSettings& settings, Progress& progress) {
  constexpr int64_t kLength = 17, kSparsity = 2, kSamples = 100;
  const int64_t seeds = settings.quick ? 4 : 50;
  const Variant variants[] = {
      {.name = "self-attention", .model = training::self_attention_model(kLength)},
      {.name = "MLP as published", .model = training::mlp_model(kLength)},
      {.name = "MLP, no dropout", .model = training::mlp_model(kLength, 512, 0)},
      {.name = "MLP, dropout 0.5", .model = training::mlp_model(kLength, 512, 0.5)},
      {.name = "MLP, 32 hidden units", .model = training::mlp_model(kLength, 32)},
      {.name = "MLP, weight decay 10", .model = training::mlp_model(kLength), .weight_decay = 10},
      {.name = "MLP, four times the epochs", .model = training::mlp_model(kLength), .epochs_factor = 4},
      {.name = "MLP, twice the samples", .model = training::mlp_model(kLength), .samples_factor = 2},
      {.name = "MLP, four times the samples", .model = training::mlp_model(kLength), .samples_factor = 4},
      {.name = "MLP, given products with the rule token",
       .model = training::mlp_model(kLength, 512, 0.1, true)},
      {.name = "MLP, products and weight decay 10",
       .model = training::mlp_model(kLength, 512, 0.1, true),
       .weight_decay = 10}};
  std::vector<learning::LearningGroup> groups;
  report::BarChart chart{.title = "What makes an MLP competitive",
                         .description = "Validation accuracy of variants of the MLP and of self-attention.",
                         .category_title = "variant",
                         .value = report::fraction_axis("validation accuracy")};
  progress.start("variants", static_cast<int64_t>(std::size(variants)));
  for (const Variant& variant : variants) {
    learning::LearningGroup group{
        .name = variant.name,
        .options =
            setting(variant.model, kSparsity, kSamples * variant.samples_factor, seeds, settings.seed)};
    group.options.schedule.epochs *= variant.epochs_factor;
    group.options.schedule.weight_decay = variant.weight_decay;
    Progress silent;
    group.trials = training::train_sparse_and(group.options, silent);
    chart.bars.push_back(
        {group.name, "", estimate_of(learning::mean_of(group.trials, learning::validation_accuracy))});
    groups.push_back(std::move(group));
    progress.advance();
  }
  progress.finish();
  return {.parameters = {{"inputs", "T = 17 with a rule token, s = 2"},
                         {"samples", "100 for training unless stated otherwise, 500 for validation"},
                         {"seeds",
                          fmt::format(
                              "{} from seed {}; all variants use the same functions and validation samples",
                              seeds, settings.seed)}},
          .tables = {{"Mean over seeds with its 95 % interval", learning::learning_table(groups)}},
          .figures = {{.name = "variants", .chart = to_chart(chart), .caption = variants_caption(groups)}}};
}

} // namespace

Experiment attention_sample_complexity() {
  return {.id = "attention/sample-complexity",
          .title = "Number of samples needed to generalise",
          .claim = "Self-attention learns functions of sparse subsets of variables from few samples (a "
                   "question in the tutorial; in theory the number grows with s log T).",
          .source =
              "Neuromatch tutorial on attention, exercise 3, part 4 (sample complexity); Edelman et al. 2022",
          .is_parallel = true,
          .run = run};
}

Experiment attention_competitive_mlp() {
  return {.id = "attention/competitive-mlp",
          .title = "Changes that make an MLP competitive",
          .claim =
              "Some components of self-attention are responsible for its better generalisation and could be "
              "added to an MLP: the tutorial asks which.",
          .source = "Neuromatch tutorial on attention, exercise 3.3 (discussion)",
          .is_parallel = true,
          .run = run_variants};
}

} // namespace mneme::experiments
