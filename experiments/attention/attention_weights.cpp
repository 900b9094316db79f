// SPDX-License-Identifier: MIT

/// Attention weights of a trained model over a batch, and their statistics.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "learning/sparse_and.h"
#include "experiments/experiment.h"

namespace mneme::experiments {
namespace {

using training::SparseAndTrial;

constexpr int64_t kShown = 100; // samples drawn as points; statistics use all samples

/// Attention weights [sample][key position] of the last query position, the rule token, over all positions
/// before it.
std::vector<std::vector<double>> weights_of(const SparseAndTrial& trial,
                                            const training::SelfAttentionModel& model) {
  const training::AttentionIntermediates readout =
      attend(model, trial.fit.parameters, trial.validation.inputs);
  const int64_t length = model.context_length;
  std::vector<std::vector<double>> weights;
  for (int64_t sample = 0; sample < trial.validation.inputs.count(); ++sample) {
    const auto row = readout.scores.begin() + (sample * length + length - 1) * length;
    weights.emplace_back(row, row + length - 1);
  }
  return weights;
}

struct Statistics {
  double mean = 0, standard_deviation = 0;
};

Statistics statistics(const std::vector<double>& numbers) {
  Statistics result;
  const double count = static_cast<double>(numbers.size());
  for (const double number : numbers) {
    result.mean += number / count;
  }
  for (const double number : numbers) {
    result.standard_deviation += (number - result.mean) * (number - result.mean) / (count - 1);
  }
  result.standard_deviation = std::sqrt(result.standard_deviation);
  return result;
}

std::string role(const data::SparseAnd& function, int64_t position) {
  const auto is_in = [&](const std::vector<int64_t>& bits) {
    return std::ranges::find(bits, position) != bits.end();
  };
  if (is_in(function.relevant)) {
    return "relevant under rule 0";
  }
  return is_in(function.relevant_under_rule) ? "relevant under rule 1" : "irrelevant";
}

const char* const kRoles[] = {"irrelevant", "relevant under rule 0", "relevant under rule 1"};

Outcome run(const RunSettings& settings, Progress& progress) {
  training::SparseAndOptions options{.model = training::self_attention_model(17), .seed = settings.seed};
  options.schedule = learning::published_schedule(options.model.kind);
  options.seeds = settings.quick ? 1 : 20;
  const std::vector<SparseAndTrial> trials = training::train_sparse_and(options, progress);
  const SparseAndTrial& trial = trials.front();
  const std::vector<std::vector<double>> weights = weights_of(trial, options.model.self_attention);
  const int64_t positions = options.model.context_length() - 1;

  report::LineChart batch{.title = "Attention weights of a batch",
                          .description =
                              "Attention weight of each bit for the query of the rule token, one point per "
                              "sample.",
                          .x = {.title = "bit position t"},
                          .y = {.title = "attention weight"},
                          .series_title = "label"};
  for (const bool label : {true, false}) {
    report::Series series{.name = label ? "true" : "false", .style = report::SeriesStyle::points};
    for (size_t sample = 0; sample < static_cast<size_t>(kShown); ++sample) {
      if ((trial.validation.labels[sample] != 0) == label) {
        for (size_t position = 0; position < weights[sample].size(); ++position) {
          // The two labels are shifted horizontally, so that neither covers the other.
          series.points.push_back({static_cast<double>(position) + (label ? -0.12 : 0.12),
                                   exact_point(weights[sample][position])});
        }
      }
    }
    batch.series.push_back(std::move(series));
  }
  for (const std::vector<int64_t>* group : {&trial.function.relevant, &trial.function.relevant_under_rule}) {
    for (const int64_t bit : *group) {
      batch.references.push_back(
          {.at = static_cast<double>(bit), .label = group == &trial.function.relevant ? "rule 0" : "rule 1"});
    }
  }

  report::LineChart summary{.title = "Mean and standard deviation of the attention weights",
                            .description = "Mean attention weight of each bit; bars are standard deviations.",
                            .x = {.title = "bit position t"},
                            .y = {.title = "attention weight"},
                            .series_title = "bit",
                            .intervals = report::IntervalStyle::bars};
  report::Table table{.columns = {{.name = "bit"},
                                  {.name = "role"},
                                  {.name = "mean"},
                                  {.name = "standard deviation", .key = "deviation"}}};
  for (const char* role_name : kRoles) {
    report::Series series{.name = role_name, .style = report::SeriesStyle::points};
    for (int64_t position = 0; position < positions; ++position) {
      if (role(trial.function, position) == role_name) {
        std::vector<double> numbers;
        for (const std::vector<double>& row : weights) {
          numbers.push_back(row[static_cast<size_t>(position)]);
        }
        const auto [mean, deviation] = statistics(numbers);
        series.points.push_back({static_cast<double>(position), {mean, mean - deviation, mean + deviation}});
        table.rows.push_back({position, std::string(role_name), mean, deviation});
      }
    }
    summary.series.push_back(std::move(series));
  }

  // Fraction of the attention weight of the rule token on the bits of each role, over seeds.
  report::Table fractions{.columns = {{.name = "bits"},
                                      {.name = "fraction of the weight",
                                       .key = "share",
                                       .notation = report::Notation::percent,
                                       .digits = 1},
                                      {.name = "with uniform weights",
                                       .key = "even",
                                       .notation = report::Notation::percent,
                                       .digits = 1}}};
  for (const char* role_name : kRoles) {
    double uniform = 0;
    const trials::MeanInterval fraction = learning::mean_of(trials, [&](const SparseAndTrial& each_trial) {
      double sum = 0, total = 0;
      int64_t count = 0;
      const auto rows = weights_of(each_trial, options.model.self_attention);
      for (int64_t position = 0; position < positions; ++position) {
        const bool has_role = role(each_trial.function, position) == role_name;
        count += has_role ? 1 : 0;
        for (const std::vector<double>& row : rows) {
          total += row[static_cast<size_t>(position)];
          sum += has_role ? row[static_cast<size_t>(position)] : 0;
        }
      }
      uniform = static_cast<double>(count) / static_cast<double>(positions);
      return sum / total;
    });
    fractions.rows.push_back({std::string(role_name), cell(fraction), uniform});
  }
  return {
      .parameters = {{"model", "self-attention, T = 17, s = 2, d = 2, 200 samples, 2000 epochs"},
                     {"model and samples in the figures",
                      fmt::format("seed {}, {} of 500 validation samples", settings.seed, kShown)},
                     {"validation accuracy of this model",
                      fmt::format("{:.1f} %", 100 * trial.validation_score.accuracy)},
                     {"seeds in the table of fractions", std::to_string(trials.size())}},
      .tables = {{trials.size() == 1
                      ? std::string(
                            "Fraction of the rule token's attention weight by role of the bits, one seed")
                      : fmt::format("Fraction of the rule token's attention weight by role of the bits, mean "
                                    "over {} seeds",
                                    trials.size()),
                  fractions},
                 {"Mean and standard deviation of the attention weight of each bit over 500 samples", table}},
      .figures =
          {{.name = "batch",
            .chart = to_chart(batch),
            .caption =
                "The points of each bit form two clouds, for the values 0 and 1, and each cloud has two "
                "parts, for rule 0 and rule 1. Bits with large attention weights are those that the model "
                "treats as relevant."},
           {.name = "statistics",
            .chart = to_chart(summary),
            .caption =
                "Relevant bits are marked by colour and shape. The chart shows one row of the "
                "attention matrix, that of the rule token; the readout also uses the rows of the other "
                "query positions. The table of fractions shows over many seeds how much of this row's "
                "weight is on relevant bits."}},
      .notes = {
          "The legend of the tutorial's plot of a batch is swapped: it shows True for label 0 and False "
          "for label 1. The chart here uses the correct labels."}};
}

} // namespace

Experiment attention_weights() {
  return {.id = "attention/attention-weights",
          .title = "Attention weights of a trained model",
          .claim =
              "The tutorial reads the attention weights of a trained model as the relevance of the bits. "
              "The table of fractions measures over many seeds how far this holds for the rule token.",
          .source = "Neuromatch tutorial on attention, plots of attention weights",
          .is_parallel = true,
          .run = run};
}

} // namespace mneme::experiments
