// SPDX-License-Identifier: MIT

#include "learning/sparse_and.h"

#include <algorithm>
#include <cmath>

#include "report/estimates.h"

namespace mneme::learning {
namespace {

using training::BinaryModel;
using training::SparseAndTrial;

constexpr double kBandLow = 0.05, kBandHigh = 0.95; // quantiles of the band over seeds
constexpr double kMinLoss = 1e-12;                  // smaller losses are drawn here on the logarithmic axis

/// Median and band, clamped to `min`.
report::Estimate spread(const std::vector<double>& numbers, double min) {
  const auto at = [&](double probability) { return std::max(quantile(numbers, probability), min); };
  return {at(0.5), at(kBandLow), at(kBandHigh)};
}

report::LineChart over_epochs(const std::string& title, const std::vector<LearningGroup>& groups, double min,
                              double training::CurvePoint::*training_measure,
                              const TrialMeasure& validation_measure) {
  report::LineChart chart{.title = title, .x = {.title = "epoch"}, .series_title = "model"};
  for (const LearningGroup& group : groups) {
    report::Series line{.name = group.name + ", training"};
    for (size_t point = 0; point < group.trials.front().fit.curve.size(); ++point) {
      const std::vector<double> numbers = each(group.trials, [&](const SparseAndTrial& trial) {
        return trial.fit.curve[point].*training_measure;
      });
      line.points.push_back(
          {static_cast<double>(group.trials.front().fit.curve[point].epoch), spread(numbers, min)});
    }
    line.style = curve_style(line.points);
    const double end = line.points.back().x;
    chart.series.push_back(std::move(line));
    chart.series.push_back({.name = group.name + ", validation",
                            .points = {{end, spread(each(group.trials, validation_measure), min)}},
                            .style = report::SeriesStyle::points});
  }
  return chart;
}

} // namespace

training::Schedule published_schedule(BinaryModel::Kind kind) {
  return kind == BinaryModel::Kind::self_attention ? training::Schedule{.epochs = 2000, .learning_rate = 1e-2}
                                                   : training::Schedule{.epochs = 500, .learning_rate = 1e-3};
}

std::string name_of(BinaryModel::Kind kind) {
  return kind == BinaryModel::Kind::self_attention ? "self-attention" : "MLP";
}

std::vector<double> each(const std::vector<SparseAndTrial>& trials, const TrialMeasure& number) {
  std::vector<double> numbers;
  std::ranges::transform(trials, std::back_inserter(numbers), number);
  return numbers;
}

double training_accuracy(const SparseAndTrial& trial) {
  return trial.fit.curve.back().accuracy;
}
double training_loss(const SparseAndTrial& trial) {
  return trial.fit.curve.back().loss;
}
double validation_accuracy(const SparseAndTrial& trial) {
  return trial.validation_score.accuracy;
}
double validation_loss(const SparseAndTrial& trial) {
  return trial.validation_score.loss;
}

trials::MeanInterval mean_of(const std::vector<SparseAndTrial>& trials, const TrialMeasure& number) {
  return trials::mean_interval(each(trials, number));
}

double quantile(std::vector<double> numbers, double probability) {
  std::ranges::sort(numbers);
  const double rank = probability * static_cast<double>(numbers.size() - 1);
  const size_t below = static_cast<size_t>(rank), above = std::min(below + 1, numbers.size() - 1);
  return numbers[below] + (rank - static_cast<double>(below)) * (numbers[above] - numbers[below]);
}

std::vector<report::Column> seed_columns(bool single_seed) {
  if (single_seed) {
    return {{.name = "value (one seed)", .key = "mean"}};
  }
  return {{.name = "mean, 95 % interval over seeds", .key = "mean"},
          {.name = "min", .key = "least"},
          {.name = "median"},
          {.name = "max", .key = "greatest"}};
}

std::vector<report::Cell> seed_cells(const std::vector<double>& numbers, bool single_seed,
                                     const report::Limits& limits) {
  std::vector<report::Cell> cells = {report::cell(trials::mean_interval(numbers), limits)};
  if (!single_seed) {
    cells.insert(cells.end(), {std::ranges::min(numbers), quantile(numbers, 0.5), std::ranges::max(numbers)});
  }
  return cells;
}

report::Table learning_table(const std::vector<LearningGroup>& groups) {
  const auto percent = report::Notation::percent;
  report::Table table{
      .columns = {
          {.name = "model"},
          {.name = "parameters"},
          {.name = "training samples", .key = "training_samples"},
          {.name = "training accuracy", .key = "training_accuracy", .notation = percent, .digits = 1},
          {.name = "training loss", .key = "training_loss", .notation = report::Notation::fixed},
          {.name = "validation accuracy", .key = "validation_accuracy", .notation = percent, .digits = 1},
          {.name = "validation loss", .key = "validation_loss", .notation = report::Notation::fixed}}};
  for (const LearningGroup& group : groups) {
    table.rows.push_back({group.name, group.options.model.num_parameters(), group.options.training_samples,
                          report::cell(mean_of(group.trials, training_accuracy), report::kFraction),
                          report::cell(mean_of(group.trials, training_loss)),
                          report::cell(mean_of(group.trials, validation_accuracy), report::kFraction),
                          report::cell(mean_of(group.trials, validation_loss))});
  }
  return table;
}

report::Chart learning_curves(const std::string& title, const std::vector<LearningGroup>& groups) {
  report::LineChart loss =
      over_epochs("Loss", groups, kMinLoss, &training::CurvePoint::loss, validation_loss);
  loss.y = {.title = "binary cross-entropy", .logarithmic = true};
  report::LineChart accuracy =
      over_epochs("Accuracy", groups, 0, &training::CurvePoint::accuracy, validation_accuracy);
  accuracy.y = report::fraction_axis("accuracy");
  const bool one_seed =
      std::ranges::all_of(groups, [](const LearningGroup& group) { return group.trials.size() == 1; });
  return to_chart(report::Panels{
      .title = title,
      .description =
          one_seed ? "Loss and accuracy of one seed over epochs."
                   : "Loss and accuracy over epochs: median of the seeds, with the range from the 5 % to the "
                     "95 % quantile.",
      .charts = {to_chart(loss), to_chart(accuracy)}});
}

} // namespace mneme::learning
