// SPDX-License-Identifier: MIT

/// Where a trained model looks: attention weights of a whole batch, and their statistics.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "learning/sparse_and.h"
#include "experiments/experiment.h"

namespace mneme::experiments {
namespace {

using training::SparseAndTrial;

constexpr int64_t kShown = 100; // samples drawn as points; statistics take all

/// Weights [sample][place] that the last place, the rule token, gives to the places before it.
std::vector<std::vector<double>> weights_of(const SparseAndTrial& trial,
                                            const training::SelfAttentionModel& model) {
  const training::AttentionReadout readout = attend(model, trial.fit.parameters, trial.validation.inputs);
  const int64_t length = model.context_length;
  std::vector<std::vector<double>> weights;
  for (int64_t sample = 0; sample < trial.validation.inputs.count(); ++sample) {
    const auto row = readout.scores.begin() + (sample * length + length - 1) * length;
    weights.emplace_back(row, row + length - 1);
  }
  return weights;
}

struct Statistics {
  double mean = 0, deviation = 0;
};

Statistics statistics(const std::vector<double>& numbers) {
  Statistics result;
  const double count = static_cast<double>(numbers.size());
  for (const double number : numbers) {
    result.mean += number / count;
  }
  for (const double number : numbers) {
    result.deviation += (number - result.mean) * (number - result.mean) / (count - 1);
  }
  result.deviation = std::sqrt(result.deviation);
  return result;
}

std::string role(const data::SparseAnd& function, int64_t place) {
  const auto holds = [&](const std::vector<int64_t>& bits) {
    return std::ranges::find(bits, place) != bits.end();
  };
  return holds(function.relevant)              ? "relevant under rule 0"
         : holds(function.relevant_under_rule) ? "relevant under rule 1"
                                               : "irrelevant";
}

const char* const kRoles[] = {"irrelevant", "relevant under rule 0", "relevant under rule 1"};

Outcome run(const RunSettings& settings, Progress& progress) {
  training::SparseAndOptions options{.model = training::self_attention_model(17), .seed = settings.seed};
  options.schedule = learning::published_schedule(options.model.kind);
  options.seeds = settings.quick ? 1 : 20;
  const std::vector<SparseAndTrial> trials = training::train_sparse_and(options, progress);
  const SparseAndTrial& trial = trials.front();
  const std::vector<std::vector<double>> weights = weights_of(trial, options.model.self_attention);
  const int64_t places = options.model.context_length() - 1;

  report::LineChart batch{.title = "Attention weights of a batch",
                          .description =
                              "Weight that the rule token gives to each bit, one point per sample.",
                          .x = {.title = "bit t"},
                          .y = {.title = "attention weight"},
                          .series_title = "label"};
  for (const bool label : {true, false}) {
    report::Series series{.name = label ? "true" : "false", .style = report::SeriesStyle::points};
    for (size_t sample = 0; sample < static_cast<size_t>(kShown); ++sample) {
      if ((trial.validation.labels[sample] != 0) == label) {
        for (size_t place = 0; place < weights[sample].size(); ++place) {
          // Labels stand beside each other, so that neither covers the other.
          series.points.push_back(
              {static_cast<double>(place) + (label ? -0.12 : 0.12), certain(weights[sample][place])});
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

  report::LineChart summary{.title = "Mean and deviation",
                            .description = "Mean attention weight of each bit; bars are standard deviations.",
                            .x = {.title = "bit t"},
                            .y = {.title = "attention weight"},
                            .series_title = "bit",
                            .intervals = report::IntervalStyle::bars};
  report::Table table{
      .columns = {{.name = "bit"}, {.name = "role"}, {.name = "mean"}, {.name = "deviation"}}};
  for (const char* wanted : kRoles) {
    report::Series series{.name = wanted, .style = report::SeriesStyle::points};
    for (int64_t place = 0; place < places; ++place) {
      if (role(trial.function, place) == wanted) {
        std::vector<double> numbers;
        for (const std::vector<double>& row : weights) {
          numbers.push_back(row[static_cast<size_t>(place)]);
        }
        const Statistics found = statistics(numbers);
        series.points.push_back({static_cast<double>(place),
                                 {found.mean, found.mean - found.deviation, found.mean + found.deviation}});
        table.rows.push_back({place, std::string(wanted), found.mean, found.deviation});
      }
    }
    summary.series.push_back(std::move(series));
  }

  // Over seeds: the share of the weight that the two, or four, relevant bits get.
  report::Table shares{
      .columns = {
          {.name = "bits"},
          {.name = "share of the weight", .key = "share", .notation = report::Notation::percent, .digits = 1},
          {.name = "if it were spread evenly",
           .key = "even",
           .notation = report::Notation::percent,
           .digits = 1}}};
  for (const char* wanted : kRoles) {
    double even = 0;
    const trials::MeanInterval share = learning::mean_of(trials, [&](const SparseAndTrial& each_trial) {
      double sum = 0, whole = 0;
      int64_t count = 0;
      const auto rows = weights_of(each_trial, options.model.self_attention);
      for (int64_t place = 0; place < places; ++place) {
        const bool counts = role(each_trial.function, place) == wanted;
        count += counts ? 1 : 0;
        for (const std::vector<double>& row : rows) {
          whole += row[static_cast<size_t>(place)];
          sum += counts ? row[static_cast<size_t>(place)] : 0;
        }
      }
      even = static_cast<double>(count) / static_cast<double>(places);
      return sum / whole;
    });
    shares.rows.push_back({std::string(wanted), cell(share), even});
  }
  return {
      .parameters = {{"model", "self-attention, T = 17, s = 2, d = 2, 200 samples, 2000 epochs"},
                     {"shown", fmt::format("seed {}, {} of 500 validation samples", settings.seed, kShown)},
                     {"validation accuracy shown", fmt::format("{:.1f} %", 100 * trial.validated.accuracy)},
                     {"seeds of the shares", std::to_string(trials.size())}},
      .tables = {{trials.size() == 1
                      ? std::string("Share of the rule token's attention, one seed")
                      : fmt::format("Share of the rule token's attention, mean over {} seeds", trials.size()),
                  shares},
                 {"Mean and standard deviation of each bit's weight over 500 samples", table}},
      .figures =
          {{.name = "batch",
            .chart = to_chart(batch),
            .look =
                "Each bit has two clouds, as it is 0 or 1, and each cloud two parts, as the rule is 0 or 1: "
                "a bit that stands out is one that the model has found to matter."},
           {.name = "statistics",
            .chart = to_chart(summary),
            .look = "Relevant bits are marked by colour and shape. This is one row of the attention, that of "
                    "the rule "
                    "token: other places ask as well, and the readout weighs them all. The table of shares "
                    "says over many "
                    "seeds how much, or how little, relevant bits stand out in it."}},
      .notes = {"In the tutorial's plot of a batch the legend says True for the colour of label 0 and False "
                "for that of "
                "label 1: the two are exchanged. Here they are as the labels say."}};
}

} // namespace

Experiment attention_weights() {
  return {.id = "attention/attention-weights",
          .title = "Where a trained model looks",
          .claim = "After training, attention weights are large at the bits that matter and small elsewhere.",
          .source = "Neuromatch tutorial on attention, plots of attention weights",
          .is_parallel = true,
          .run = run};
}

} // namespace mneme::experiments
