// SPDX-License-Identifier: MIT

/// Samples of a sparse AND, and the number of batches drawn until the labels are balanced.

#include <cmath>

#include <fmt/format.h>

#include "experiments/attention/bit_table.h"
#include "experiments/experiment.h"
#include "mneme/core/error.h"

namespace mneme::experiments {
namespace {

constexpr int64_t kLength = 13, kSparsity = 2, kShown = 10; // as published
constexpr int64_t kComparedLength = 17, kSamples = 200;     // as in the comparison of models
constexpr int64_t kBatches = 50;                            // for the fraction of true labels

/// Table row: balance of the labels for one setting of the generator.
std::vector<report::Cell> balance_row(int64_t sparsity, bool with_rule, const Random& random) {
  double tries = 0, fraction_true = 0;
  int64_t failed = 0;
  for (int64_t batch = 0; batch < kBatches; ++batch) {
    const Random own = random.stream(static_cast<uint64_t>(batch));
    const data::SparseAnd function =
        data::pick_sparse_and(kComparedLength, sparsity, with_rule, own.stream(0));
    const data::LabelledBits samples =
        data::draw_samples(function, kSamples, own.stream(1), {.accept_last_try = true});
    tries += static_cast<double>(samples.tries) / kBatches;
    fraction_true += samples.fraction_true() / kBatches;
    failed += samples.passed ? 0 : 1;
  }
  return {std::string(with_rule ? "with a rule token" : "plain"),
          sparsity,
          std::pow(0.5, static_cast<double>(sparsity) / (with_rule ? 2 : 3)),
          fraction_true,
          tries,
          static_cast<double>(failed) / kBatches};
}

Outcome run(const RunSettings& settings, Progress&) {
  const Random random(settings.seed);
  Outcome outcome{.parameters = {{"figures", "T = 13, s = 2, 10 samples"},
                                 {"table", "T = 17, 200 samples, 50 batches per row"},
                                 {"seed", std::to_string(settings.seed)}}};
  for (const bool with_rule : {false, true}) {
    const Random own = random.stream(with_rule ? 1 : 0);
    const data::SparseAnd function = data::pick_sparse_and(kLength, kSparsity, with_rule, own.stream(0));
    const data::LabelledBits samples = data::draw_samples(function, kShown, own.stream(1));
    const std::string title =
        with_rule ? "2-sparse AND with a rule token (section 3)" : "2-sparse AND (section 3)";
    outcome.figures.push_back(
        {.name = with_rule ? "samples-with-rule" : "samples",
         .chart = bit_table(title, function, samples),
         .caption =
             with_rule
                 ? "The last bit is the rule token. If it is white (0), the label depends on the columns "
                   "framed in red; if it is black (1), on the columns framed in blue."
                 : "Black is 1. The label on the right is black exactly if both framed columns are black; it "
                   "does not depend on the other columns."});
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
          {.name = "mean number of batches drawn",
           .key = "tries",
           .notation = report::Notation::fixed,
           .digits = 1},
          {.name = "no balanced batch in 100 tries",
           .key = "failed",
           .notation = report::Notation::percent,
           .digits = 1}}};
  for (const bool with_rule : {false, true}) {
    for (const int64_t sparsity : {1, 2, 3, 4, 5}) {
      table.rows.push_back(balance_row(sparsity, with_rule, random.stream(2)));
    }
  }
  outcome.tables.push_back(
      {"Balance of the labels in batches of 200 samples, by form and sparsity s", table});
  outcome.notes = {
      "The probability of a 1 is fixed: (1/2)^(1/3) in the plain form and (1/2)^(1/2) with a rule token. The "
      "labels are therefore balanced only for s = 3 and s = 2, respectively. A batch is accepted if 40 to "
      "60 % of its labels are true in the plain form, and 45 to 55 % with a rule token. For s = 4 with a "
      "rule token, the dense case of the published comparison, only a quarter of the labels are true; the "
      "required fraction is never reached, and the published generator returns its hundredth batch without "
      "a warning. A constant prediction of false then has an accuracy of 75 %.",
      "mneme rejects such a batch unless `--accept-last-try` is given; with `--balanced` it uses the "
      "probability that balances the labels."};
  return outcome;
}

} // namespace

Experiment attention_dataset_samples() {
  return {.id = "attention/dataset-samples",
          .title = "The task: a sparse AND of few relevant bits",
          .claim = "The label is true if all of s relevant bits are 1. Ones are more likely than zeros, so "
                   "that both labels are equally likely.",
          .source = "Neuromatch tutorial on attention, section 3, \"Dataset\"",
          .run = run};
}

} // namespace mneme::experiments
