// SPDX-License-Identifier: MIT

/// Attention weights of a trained model over a batch, and their statistics.

#include <fmt/format.h>

#include "learning/attention_figures.h"
#include "learning/sparse_and.h"
#include "experiments/experiment.h"

namespace mneme::experiments {
namespace {

using training::SparseAndTrial;

constexpr int64_t kShown = 100; // samples drawn as points; statistics use all samples

Outcome run(const RunSettings& settings, Progress& progress) {
  training::SparseAndOptions options{.model = training::self_attention_model(17), .seed = settings.seed};
  options.schedule = learning::published_schedule(options.model.kind);
  options.seeds = settings.quick ? 1 : 20;
  const std::vector<SparseAndTrial> trials = training::train_sparse_and(options, progress);
  const SparseAndTrial& trial = trials.front();
  const training::SelfAttentionModel& model = options.model.self_attention;
  const learning::WeightStatistics statistics = learning::weight_statistics(trial, model);
  const int64_t positions = options.model.context_length() - 1;

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
  for (const std::string& role_name : learning::roles(trial.function)) {
    double uniform = 0;
    const trials::MeanInterval fraction = learning::mean_of(trials, [&](const SparseAndTrial& each_trial) {
      double sum = 0, total = 0;
      int64_t count = 0;
      const auto rows = learning::last_query_weights(each_trial, model);
      for (int64_t position = 0; position < positions; ++position) {
        const bool has_role = learning::role_of(each_trial.function, position) == role_name;
        count += has_role ? 1 : 0;
        for (const std::vector<double>& row : rows) {
          total += row[static_cast<size_t>(position)];
          sum += has_role ? row[static_cast<size_t>(position)] : 0;
        }
      }
      uniform = static_cast<double>(count) / static_cast<double>(positions);
      return sum / total;
    });
    fractions.rows.push_back({role_name, cell(fraction), uniform});
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
                 {"Mean and standard deviation of the attention weight of each bit over 500 samples",
                  statistics.table}},
      .figures =
          {{.name = "batch",
            .chart = learning::weights_chart(trial, model, kShown),
            .caption =
                "Each point is the attention weight of a bit in one sample. Where a weight depends on the "
                "value "
                "of the bit and on the rule, the points of the bit form up to four groups. Bits with large "
                "attention weights are those that the model attends to the most."},
           {.name = "statistics",
            .chart = statistics.chart,
            .caption =
                "Relevant bits are marked by colour and shape. The chart shows one row of the "
                "attention matrix, that of the rule token; the readout also uses the rows of the other "
                "query positions. The table of fractions shows how much of this row's weight is on relevant "
                "bits, in " +
                (trials.size() == 1 ? std::string("one seed.") : fmt::format("{} seeds.", trials.size()))}},
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
              "The table of fractions measures how far this holds for the rule token.",
          .source = "Neuromatch tutorial on attention, exercise 3, part 5 (attention weights)",
          .is_parallel = true,
          .run = run};
}

} // namespace mneme::experiments
