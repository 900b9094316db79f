// SPDX-License-Identifier: MIT

#include "experiments/single_run.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace mneme::experiments {
namespace {

constexpr double kConfidence = 0.95; // probability that no value of a table is missed by chance

Comparison compare(const SingleRun& run, const trials::PredictionOptions& options) {
  const trials::Interval interval = trials::prediction_interval(run.ours, options);
  const trials::MeanInterval measured = trials::mean_interval(run.ours);
  const auto [min, max] = std::ranges::minmax(run.ours);
  const double upper_limit = run.cases > 0 ? 1 : std::numeric_limits<double>::infinity();
  const auto contains = [&](double value) { return interval.low <= value && value <= interval.high; };
  const bool contains_all = run.cases > 0 && contains(0) && contains(1);
  const bool cannot_separate = !run.alternatives.empty() && std::ranges::all_of(run.alternatives, contains);
  return {.what = run.what,
          .published = run.published,
          .measured = measured,
          // The interval contains the range of our runs, and therefore their mean.
          .tolerance =
              run.published < measured.mean ? measured.mean - interval.low : interval.high - measured.mean,
          .explanation = fmt::format(
              "One more run of ours is expected between {:.4g} and {:.4g}; our {} seeds are "
              "between {:.4g} and {:.4g}.",
              std::max(interval.low, 0.0), std::min(interval.high, upper_limit), run.ours.size(), min, max),
          .cannot_fail = contains_all || cannot_separate};
}

} // namespace

ComparisonTable compare_single_runs(const SingleRuns& runs) {
  const double confidence = 1 - (1 - kConfidence) / static_cast<double>(runs.runs.size());
  ComparisonTable table{
      .title = runs.title,
      .source = runs.source,
      .tolerance = fmt::format(
          "each published number is from a single run. It is met if it is in the prediction interval of one "
          "more run of ours: mean ± t s sqrt(1 + 1/n) of our n = {} seeds, extended to include their range, "
          "plus {:g} for {}. The intervals of losses are computed on a logarithmic scale; those of "
          "accuracies use at least the binomial standard deviation. Each interval has a confidence of {:.2f} "
          "%, so that with a probability of 95 % none of the {} numbers is missed by chance. The tolerance "
          "column is the distance from our mean to the end of the interval on the side of the published "
          "number. An interval of an accuracy that contains both that of a model that has learned the task "
          "and "
          "that of one that has not decides nothing (\"cannot tell\").",
          runs.runs.front().ours.size(), runs.resolution, runs.resolution_source, 100 * confidence,
          runs.runs.size())};
  for (const SingleRun& run : runs.runs) {
    table.rows.push_back(compare(run, {.confidence = confidence,
                                       .resolution = runs.resolution,
                                       .logarithmic = run.cases == 0,
                                       .cases = run.cases}));
  }
  return table;
}

} // namespace mneme::experiments
