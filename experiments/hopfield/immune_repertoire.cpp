// SPDX-License-Identifier: MIT

/// Hopfield pooling on bags of 100 000 instances, few of which determine the label, as in immune repertoires.

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/hopfield/bag_comparison.h"
#include "learning/bags.h"
#include "learning/bag_fits.h"

namespace mneme::experiments {
namespace {

constexpr int64_t kInstances = 100'000, kBits = 20;
training::BagTask repertoires(int64_t bags, int64_t witnesses) {
  training::BagTask task = training::bit_pattern_task({.num_bags = bags,
                                                       .num_instances = kInstances,
                                                       .num_signals = 1,
                                                       .num_signals_per_bag = witnesses,
                                                       .num_bits = kBits});
  task.name = "repertoires";
  // Batches of one bag, and a learning rate with which the association becomes sharp within a few hundred
  // steps.
  task.schedule.batch_size = 1;
  task.schedule.learning_rate = 0.01;
  return task;
}

/// Describes what the measured curves show.
std::string caption_of(const std::vector<learning::BagGroup>& groups) {
  constexpr double kSeparated = 0.95; // accuracy
  std::vector<std::string> separated, others;
  for (const learning::BagGroup& group : groups) {
    const std::vector<double> accuracies =
        learning::after_kept_epoch(group, learning::bag_measure("validation_accuracy"));
    (std::ranges::min(accuracies) >= kSeparated ? separated : others).push_back(group.name);
  }
  std::string text = "Medians of the seeds, with bands from the minimum to the maximum.";
  if (!separated.empty()) {
    text += fmt::format(
        " With {} instances with the motif, all seeds separate the classes: once the pooling pattern "
        "becomes similar to the motif, the motif's weight grows exponentially.",
        fmt::join(separated, " and "));
  }
  if (!others.empty()) {
    text += fmt::format(
        " With {}, these epochs are too few for some seeds: all instances still have similar weights.",
        fmt::join(others, " and "));
  }
  return text;
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const int64_t seeds = settings.quick ? 3 : 5, bags = 64, epochs = settings.quick ? 12 : 40;
  // Number of instances of a positive bag that contain the motif.
  const std::vector<int64_t> witness_counts =
      settings.quick ? std::vector<int64_t>{1000, 500} : std::vector<int64_t>{1000, 500, 300};
  std::vector<learning::BagGroup> groups;
  Outcome outcome;
  progress.start("repertoires, epochs", std::ssize(witness_counts) * seeds * epochs);
  for (const int64_t witnesses : witness_counts) {
    const training::BagTask task = repertoires(bags, witnesses);
    training::BagSchedule schedule = task.schedule;
    schedule.epochs = epochs;
    std::vector<training::BagJob> jobs;
    for (int64_t seed = 0; seed < seeds; ++seed) {
      jobs.push_back({.task = &task,
                      .model = "pooling",
                      .schedule = schedule,
                      .seed = settings.seed + static_cast<uint64_t>(seed)});
    }
    groups.push_back({.name = fmt::format("{} of {}", witnesses, kInstances),
                      .fits = learning::train_bags(jobs, progress, {})});
  }
  progress.finish();
  report::LineChart chart{
      .title = "Validation accuracy",
      .description = "Validation accuracy over epochs for several numbers of instances with the motif.",
      .x = {.title = "epoch"},
      .y = report::fraction_axis("accuracy"),
      .series_title = "instances with the motif"};
  for (const learning::BagGroup& group : groups) {
    chart.series.push_back(
        learning::seeds_series(group.name, group, learning::bag_measure("validation_accuracy")));
  }
  outcome.parameters = {
      {"bags", fmt::format("{} for training, {} for validation, half of them positive, {} instances each",
                           bags * 3 / 4, bags / 4, kInstances)},
      {"instances",
       fmt::format("random patterns of {} bits; in a positive bag some are replaced by a fixed motif",
                   kBits)},
      {"model", "HopfieldPooling with default options, linear readout"},
      {"training", fmt::format("AdamW at 0.01, batches of one bag, {} epochs", epochs)},
      {"seeds", fmt::format("{} from seed {}", seeds, settings.seed)}};
  outcome.tables = {
      {"Results after the last epoch, by number of instances with the motif", learning::bag_table(groups)}};
  outcome.figures = {{.name = "accuracy", .chart = to_chart(chart), .caption = caption_of(groups)}};
  outcome.notes = {"No published values are compared, since the real repertoires (bags of about 300 000 "
                   "sequences, area under the curve about 0.83 in the paper) are not available here. The "
                   "experiment shows the mechanism at a similar size.",
                   "A bag is read once per step and never copied: norms and projections are fused into the "
                   "association."};
  return outcome;
}

} // namespace

Experiment hopfield_immune_repertoire() {
  return {.id = "hopfield/immune-repertoire",
          .title = "Bags of 100 000 instances",
          .claim =
              "Attention with exponential capacity finds the few instances that determine the label of a "
              "bag among hundreds of thousands, as needed to classify immune repertoires.",
          .source = "Ramsauer et al. 2020, section 4; Widrich et al. 2020 (DeepRC)",
          .is_parallel = true,
          .needs_torch = true,
          .run = run};
}

} // namespace mneme::experiments
