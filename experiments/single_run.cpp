// SPDX-License-Identifier: MIT

#include "experiments/single_run.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace mneme::experiments {
namespace {

constexpr double kConfidence = 0.95; // that no number of a table is missed by chance

Comparison compare(const SingleRun& run, const trials::PredictionOptions& options) {
  const trials::Interval interval = trials::prediction_interval(run.ours, options);
  const trials::MeanInterval measured = trials::mean_interval(run.ours);
  const auto [least, greatest] = std::ranges::minmax(run.ours);
  const double highest = run.cases > 0 ? 1 : std::numeric_limits<double>::infinity();
  return {.what = run.what,
          .published = run.published,
          .measured = measured,
          // Our mean always lies in the interval, as the range of our runs does.
          .tolerance =
              run.published < measured.mean ? measured.mean - interval.low : interval.high - measured.mean,
          .explanation =
              fmt::format("One more run of ours is expected between {:.4g} and {:.4g}; our {} seeds lie "
                          "between {:.4g} and {:.4g}.",
                          std::max(interval.low, 0.0), std::min(interval.high, highest), run.ours.size(),
                          least, greatest)};
}

} // namespace

ComparisonTable compare_single_runs(const SingleRuns& runs) {
  const double confidence = 1 - (1 - kConfidence) / static_cast<double>(runs.runs.size());
  ComparisonTable table{
      .title = runs.title,
      .source = runs.source,
      .tolerance = fmt::format(
          "the published number is that of one run, so it is met if it lies where one more run of ours is "
          "expected: in the prediction interval mean +- t s sqrt(1 + 1/n) of our n = {} seeds, which is at "
          "least their range, plus {:g} for {}. Losses are taken on a logarithmic scale; accuracies scatter "
          "at least as counting does. Each interval has a confidence of {:.2f} %, so that with 95 % none of "
          "the {} numbers is missed by chance. The column holds the distance from our mean to the end of the "
          "interval on the side of the published number.",
          runs.runs.front().ours.size(), runs.resolution, runs.because, 100 * confidence, runs.runs.size())};
  for (const SingleRun& run : runs.runs) {
    table.rows.push_back(compare(run, {.confidence = confidence,
                                       .resolution = runs.resolution,
                                       .logarithmic = run.cases == 0,
                                       .cases = run.cases}));
  }
  return table;
}

} // namespace mneme::experiments
