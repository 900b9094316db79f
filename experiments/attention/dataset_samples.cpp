// SPDX-License-Identifier: MIT

/// What samples of a sparse AND look like, and how often a batch must be drawn again.

#include <cmath>

#include <fmt/format.h>

#include "experiments/attention/bit_table.h"
#include "experiments/experiment.h"
#include "mneme/core/error.h"

namespace mneme::experiments {
namespace {

constexpr int64_t kLength = 13, kSparsity = 2, kShown = 10; // as published
constexpr int64_t kCompared = 17, kSamples = 200;           // of the comparison of models
constexpr int64_t kBatches = 50;                            // for the share of true labels

/// How a setting of the generators fares.
std::vector<report::Cell> fares(int64_t sparsity, bool with_rule, const Random& random) {
  double tries = 0, share = 0;
  int64_t failed = 0;
  for (int64_t batch = 0; batch < kBatches; ++batch) {
    const Random own = random.stream(static_cast<uint64_t>(batch));
    const data::SparseAnd function = data::pick_sparse_and(kCompared, sparsity, with_rule, own.stream(0));
    const data::LabelledBits samples =
        data::draw_samples(function, kSamples, own.stream(1), {.accept_last_try = true});
    tries += static_cast<double>(samples.tries) / kBatches;
    share += samples.share_true() / kBatches;
    failed += samples.passed ? 0 : 1;
  }
  return {std::string(with_rule ? "with a rule token" : "plain"),
          sparsity,
          std::pow(0.5, static_cast<double>(sparsity) / (with_rule ? 2 : 3)),
          share,
          tries,
          static_cast<double>(failed) / kBatches};
}

Outcome run(const RunSettings& settings, Progress&) {
  const Random random(settings.seed);
  Outcome outcome{.parameters = {{"shown", "T = 13, s = 2, 10 samples"},
                                 {"table", "T = 17, 200 samples, 50 batches each"},
                                 {"seed", std::to_string(settings.seed)}}};
  for (const bool with_rule : {false, true}) {
    const Random own = random.stream(with_rule ? 1 : 0);
    const data::SparseAnd function = data::pick_sparse_and(kLength, kSparsity, with_rule, own.stream(0));
    const data::LabelledBits samples = data::draw_samples(function, kShown, own.stream(1));
    const std::string title = with_rule ? "2-sparse AND with a rule token" : "2-sparse AND";
    outcome.figures.push_back(
        {.name = with_rule ? "samples-with-rule" : "samples",
         .chart = bit_table(title, function, samples),
         .look =
             with_rule
                 ? "The last bit says which frame counts: where it is white (0) the label follows the red "
                   "columns, where it is black (1) the blue ones."
                 : "Black is 1. The label on the right is black exactly where both framed columns are; the "
                   "other columns say nothing about it."});
  }
  report::Table table{
      .columns = {
          {.name = "form"},
          {.name = "s"},
          {.name = "true labels expected",
           .key = "expected",
           .notation = report::Notation::percent,
           .digits = 1},
          {.name = "true labels drawn", .key = "drawn", .notation = report::Notation::percent, .digits = 1},
          {.name = "batches drawn", .key = "tries", .notation = report::Notation::fixed, .digits = 1},
          {.name = "no batch passed", .key = "failed", .notation = report::Notation::percent, .digits = 1}}};
  for (const bool with_rule : {false, true}) {
    for (const int64_t sparsity : {1, 2, 3, 4, 5}) {
      table.rows.push_back(fares(sparsity, with_rule, random.stream(2)));
    }
  }
  outcome.tables.push_back({"How batches of 200 samples are balanced, by form and sparsity s", table});
  outcome.notes = {
      "The probability of a 1 is fixed: (1/2)^(1/3) in the plain form and (1/2)^(1/2) with a rule token. It "
      "balances "
      "the labels for s = 3 and s = 2 alone. For s = 4 with a rule token, the dense case of the published "
      "comparison, only a quarter of the labels are true; a share of 45 to 55 % is never met, and the "
      "published "
      "generator silently returns its hundredth try. Always answering false is then right three times in "
      "four.",
      "mneme refuses such a batch unless asked to take it (`--accept-last-try`), and offers the probability "
      "that "
      "balances (`--balanced`)."};
  return outcome;
}

} // namespace

Experiment attention_dataset_samples() {
  return {.id = "attention/dataset-samples",
          .title = "The task: which few of many bits matter",
          .claim = "The label is true where all of s relevant bits are 1. Ones are more likely than zeros, "
                   "so that both "
                   "labels are equally likely.",
          .source = "Neuromatch tutorial on attention, section 3",
          .run = run};
}

} // namespace mneme::experiments
