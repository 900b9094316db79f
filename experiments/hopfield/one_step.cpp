// SPDX-License-Identifier: MIT

/// How near one update comes to the pattern asked for, beside the bounds of the paper.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/curves.h"
#include "experiments/experiment.h"
#include "experiments/hopfield/network.h"
#include "mneme/memory/hopfield_energy.h"
#include "mneme/theory/hopfield_bounds.h"

namespace mneme::experiments {
namespace {

constexpr int64_t kSize = 64;
/// Shares of M by which a state is moved away from its pattern.
const std::vector<double> kDistances = {0, 0.01, 0.03, 0.1, 0.2, 0.3};
/// The share whose errors are drawn over beta.
constexpr double kDrawn = 0.1;
/// Of M: what float64 leaves of a readout that is a pattern.
constexpr double kRounding = 1e-13;

enum Stream : uint64_t { kPatterns, kNoise };

/// States at one distance from their patterns, at one beta.
struct Step {
  double beta = 0, distance = 0; ///< distance: share of M
  int64_t stored = 0, well_separated = 0;
  int64_t beyond_error = 0, beyond_contraction = 0, beyond_fixed_point = 0; ///< of the well separated ones
  double median = 0, largest = 0; ///< error after one update, in units of M, of all patterns
  double bound =
      0; ///< largest error that the theorem allows a well separated one, in units of M; 0: there is none
};

struct Network {
  RealPatterns stored;
  std::vector<double> gaps;
  double norm = 0;
};

Step measure(const Network& network, double beta, double share, const RealPatterns& fixed_points,
             const Random& random) {
  const int64_t count = network.stored.count();
  const double norm = network.norm, length = share * norm, rounding = kRounding * norm;
  const theory::HopfieldNetwork numbers{
      .beta = beta, .num_stored = static_cast<double>(count), .largest_norm = norm};
  const double needed = theory::hopfield_gap_needed(numbers);
  const RealPatterns states = moved(network.stored, length, random);
  const RealPatterns after = updated(states, network.stored, beta);
  Step step{.beta = beta, .distance = share, .stored = count};
  std::vector<double> errors;
  for (int64_t i = 0; i < count; ++i) {
    const double error = distance(after[i], network.stored[i]);
    errors.push_back(error / norm);
    const double gap = network.gaps[static_cast<size_t>(i)];
    if (gap < needed) {
      continue;
    }
    ++step.well_separated;
    const double to_fixed_point = distance(fixed_points[i], network.stored[i]);
    const double farther = std::max(length, to_fixed_point);
    const double bound = theory::hopfield_retrieval_error_max(numbers, gap, farther);
    step.bound = std::max(step.bound, bound / norm);
    step.beyond_error += error > bound + rounding ? 1 : 0;
    const double contraction = theory::hopfield_contraction_max(numbers, gap, farther);
    step.beyond_contraction +=
        distance(after[i], fixed_points[i]) > contraction * distance(states[i], fixed_points[i]) + rounding
            ? 1
            : 0;
    const double near = 1 / (2 * beta * norm); // where the simple form holds
    if (to_fixed_point <= near) {
      step.beyond_fixed_point +=
          to_fixed_point > theory::hopfield_fixed_point_error_max(numbers, gap) + rounding ? 1 : 0;
    }
  }
  std::ranges::sort(errors);
  step.median = errors[errors.size() / 2];
  step.largest = errors.back();
  return step;
}

report::Series series_of(const char* name, const std::vector<Step>& steps, double Step::*x, double Step::*y,
                         report::SeriesStyle style = report::SeriesStyle::line_with_points) {
  report::Series series{.name = name, .style = style};
  for (const Step& step : steps) {
    series.points.push_back({step.*x, certain(step.*y)});
  }
  return above_zero(std::move(series));
}

std::vector<Step> chosen(const std::vector<Step>& steps, double Step::*key, double value) {
  std::vector<Step> some;
  std::ranges::copy_if(steps, std::back_inserter(some), [&](const Step& step) { return step.*key == value; });
  return some;
}

report::Chart error_chart(const std::string& title, const std::vector<Step>& steps, double Step::*x,
                          report::Axis axis) {
  return to_chart(report::LineChart{
      .title = title,
      .description = "Distance of the readout from the pattern, measured and at most.",
      .x = std::move(axis),
      .y = {.title = "error / M", .format = ".0e", .logarithmic = true},
      .series = {series_of("largest error", steps, x, &Step::largest),
                 series_of("median error", steps, x, &Step::median),
                 series_of("bound of the worst", steps, x, &Step::bound, report::SeriesStyle::dashed_line)}});
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const int64_t count = settings.quick ? 200 : 1000;
  const std::vector<double> betas = {0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2};
  const Random random(settings.seed);
  Network network{.stored = sphere_patterns(count, kSize, 1, random.stream(kPatterns))};
  network.gaps = hopfield_gaps(network.stored);
  network.norm = largest_norm(network.stored);

  std::vector<Step> steps;
  progress.start("one update", static_cast<int64_t>(betas.size()));
  for (const double beta : betas) {
    const RealPatterns fixed_points = settled(network.stored, network.stored, beta).states;
    for (const double share : kDistances) {
      steps.push_back(measure(network, beta, share, fixed_points, random.stream(kNoise)));
    }
    progress.advance();
  }
  progress.finish();

  ComparisonTable table{.title = "Patterns that break a bound",
                        .source = "theorems 4 and 5",
                        .tolerance = "none: none may. 1e-13 of M is taken for rounding."};
  TitledTable numbers{.title = "One update, in units of M"};
  numbers.table.columns = {{.name = "beta"},
                           {.name = "distance of the states", .key = "distance"},
                           {.name = "well separated", .key = "well_separated"},
                           {.name = "median error", .digits = 3},
                           {.name = "largest error", .digits = 3},
                           {.name = "bound of the worst", .key = "bound", .digits = 3}};
  for (const Step& step : steps) {
    numbers.table.rows.push_back({step.beta, step.distance, step.well_separated, step.median, step.largest,
                                  step.bound > 0 ? report::Cell(step.bound) : report::Missing{}});
  }
  for (const double beta : betas) {
    const std::vector<Step> at_beta = chosen(steps, &Step::beta, beta);
    if (at_beta.front().well_separated == 0) {
      continue; // the theorems say nothing
    }
    const auto row = [&](const char* what, int64_t Step::*failures) {
      int64_t sum = 0;
      for (const Step& step : at_beta) {
        sum += step.*failures;
      }
      table.rows.push_back({.what = fmt::format("beta = {:g}: {}", beta, what),
                            .measured = exactly(static_cast<double>(sum))});
    };
    row("error of one update", &Step::beyond_error);
    row("contraction towards the fixed point", &Step::beyond_contraction);
    row("distance of the fixed point", &Step::beyond_fixed_point);
  }
  return {
      .parameters = {{"stored patterns",
                      fmt::format("{} random ones of the sphere in {} dimensions, M = {:.4g}", count, kSize,
                                  network.norm)},
                     {"states", fmt::format("every pattern, moved by {} M", fmt::join(kDistances, ", "))},
                     {"beta", fmt::format("{}", fmt::join(betas, ", "))},
                     {"smallest gap", fmt::format("{:.4g}", std::ranges::min(network.gaps))}},
      .comparisons = {table},
      .tables = {numbers},
      .figures =
          {{.name = "error-over-beta",
            .chart = error_chart("Error of one update over beta, states 0.1 M away",
                                 chosen(steps, &Step::distance, kDrawn), &Step::beta, {.title = "beta"}),
            .look = "The error falls exponentially with beta, until rounding is all that is left, and so "
                    "does the bound, many orders of magnitude above it."},
           {.name = "error-over-distance",
            .chart = error_chart("Error of one update over the distance of the state, beta = 1",
                                 chosen(steps, &Step::beta, 1), &Step::distance,
                                 {.title = "distance / M", .format = ".2f"}),
            .look =
                "One update brings states from far away to within rounding of their pattern; the bound, made "
                "for every direction, rises much faster."}},
      .notes = {"The theorems take patterns that are well separated: with a gap of at least 2 / (beta N) + "
                "ln(2 (N-1) N beta M^2) / beta. Rows with small beta have none, and one update then mixes "
                "patterns.",
                "In the bounds the distance is the larger one of the state and of the fixed point from the "
                "pattern; with the state's alone they would not hold where the fixed point is farther."}};
}

} // namespace

Experiment hopfield_one_step() {
  return {.id = "hopfield/one-step",
          .title = "One update retrieves a pattern",
          .claim =
              "From a well separated pattern's neighbourhood one update comes within an error that falls "
              "exponentially with the gap between patterns, below a bound known beforehand.",
          .source = "Ramsauer et al. 2020, theorems 4 and 5",
          .is_parallel = true,
          .run = run};
}

} // namespace mneme::experiments
