// SPDX-License-Identifier: MIT

/// Error of retrieval with one update, compared with the bounds of the paper.

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
/// Distances of the initial states from their patterns, in units of M.
const std::vector<double> kDistances = {0, 0.01, 0.03, 0.1, 0.2, 0.3};
/// The distance whose errors are plotted over beta.
constexpr double kPlottedDistance = 0.1;
/// Tolerance for float64 rounding of a readout, in units of M.
constexpr double kRounding = 1e-13;

enum Stream : uint64_t { kPatterns, kNoise };

/// States at one distance from their patterns, at one beta.
struct Step {
  double beta = 0, distance = 0; ///< distance in units of M
  int64_t stored = 0, well_separated = 0;
  /// Number of well separated patterns that violate the bound of the error, the contraction, the fixed point.
  int64_t beyond_error = 0, beyond_contraction = 0, beyond_fixed_point = 0;
  double median = 0, max = 0; ///< error of all patterns after one update, in units of M
  double bound = 0; ///< maximum of the theorem's error bound over well separated patterns; 0: there are none
};

struct Network {
  RealPatterns stored;
  std::vector<double> gaps;
  double norm = 0;
};

Step measure(const Network& network, double beta, double state_distance, const RealPatterns& fixed_points,
             const Random& random) {
  const int64_t count = network.stored.count();
  const double norm = network.norm, length = state_distance * norm, rounding = kRounding * norm;
  const theory::HopfieldNetwork numbers{
      .beta = beta, .num_stored = static_cast<double>(count), .max_norm = norm};
  const double needed = theory::hopfield_min_gap(numbers);
  const RealPatterns states = perturbed(network.stored, length, random);
  const RealPatterns after = updated(states, network.stored, beta);
  Step step{.beta = beta, .distance = state_distance, .stored = count};
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
    const double near = 1 / (2 * beta * norm); // the simple form of the bound is valid within this distance
    if (to_fixed_point <= near) {
      step.beyond_fixed_point +=
          to_fixed_point > theory::hopfield_fixed_point_error_max(numbers, gap) + rounding ? 1 : 0;
    }
  }
  std::ranges::sort(errors);
  step.median = errors[errors.size() / 2];
  step.max = errors.back();
  return step;
}

report::Series series_of(const char* name, const std::vector<Step>& steps, double Step::*x, double Step::*y,
                         report::SeriesStyle style = report::SeriesStyle::line_with_points) {
  report::Series series{.name = name, .style = style};
  for (const Step& step : steps) {
    series.points.push_back({step.*x, exact_point(step.*y)});
  }
  return drop_nonpositive(std::move(series));
}

std::vector<Step> select(const std::vector<Step>& steps, double Step::*key, double value) {
  std::vector<Step> selected;
  std::ranges::copy_if(steps, std::back_inserter(selected),
                       [&](const Step& step) { return step.*key == value; });
  return selected;
}

report::Chart error_chart(const std::string& title, const std::vector<Step>& steps, double Step::*x,
                          report::Axis axis) {
  return to_chart(report::LineChart{
      .title = title,
      .description = "Distance of the readout from the pattern, measured and bounded by theory.",
      .x = std::move(axis),
      .y = {.title = "error / M", .format = ".0e", .logarithmic = true},
      .series = {series_of("largest error", steps, x, &Step::max),
                 series_of("median error", steps, x, &Step::median),
                 series_of("largest bound", steps, x, &Step::bound, report::SeriesStyle::dashed_line)}});
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const int64_t count = settings.quick ? 200 : 1000;
  const std::vector<double> betas = {0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2};
  const Random random(settings.seed);
  Network network{.stored = sphere_patterns(count, kSize, 1, random.stream(kPatterns))};
  network.gaps = hopfield_gaps(network.stored);
  network.norm = max_norm(network.stored);

  std::vector<Step> steps;
  progress.start("one update", static_cast<int64_t>(betas.size()));
  for (const double beta : betas) {
    const RealPatterns fixed_points = iterate_to_fixed_points(network.stored, network.stored, beta).states;
    for (const double state_distance : kDistances) {
      steps.push_back(measure(network, beta, state_distance, fixed_points, random.stream(kNoise)));
    }
    progress.advance();
  }
  progress.finish();

  ComparisonTable table{.title = "Number of patterns that violate a bound",
                        .source = "theorems 4 and 5",
                        .tolerance =
                            "0: no violations. Distances are compared with a tolerance of 1e-13 M for "
                            "rounding."};
  TitledTable numbers{.title = "One update, in units of M"};
  numbers.table.columns = {{.name = "beta"},
                           {.name = "distance of the states", .key = "distance"},
                           {.name = "well separated patterns", .key = "well_separated"},
                           {.name = "median error", .digits = 3},
                           {.name = "maximum error", .key = "largest error", .digits = 3},
                           {.name = "largest bound", .key = "bound", .digits = 3}};
  for (const Step& step : steps) {
    numbers.table.rows.push_back({step.beta, step.distance, step.well_separated, step.median, step.max,
                                  step.bound > 0 ? report::Cell(step.bound) : report::Missing{}});
  }
  for (const double beta : betas) {
    const std::vector<Step> at_beta = select(steps, &Step::beta, beta);
    if (at_beta.front().well_separated == 0) {
      continue; // the theorems do not apply
    }
    const auto row = [&](const char* what, int64_t Step::*failures) {
      int64_t sum = 0;
      for (const Step& step : at_beta) {
        sum += step.*failures;
      }
      table.rows.push_back({.what = fmt::format("beta = {:g}: {}", beta, what),
                            .measured = exact_mean(static_cast<double>(sum))});
    };
    row("error of one update", &Step::beyond_error);
    row("contraction towards the fixed point", &Step::beyond_contraction);
    row("distance of the fixed point", &Step::beyond_fixed_point);
  }
  return {
      .parameters = {{"stored patterns",
                      fmt::format("{} random points on the sphere in {} dimensions, M = {:.4g}", count, kSize,
                                  network.norm)},
                     {"states", fmt::format("every pattern, moved by {} M", fmt::join(kDistances, ", "))},
                     {"beta", fmt::format("{}", fmt::join(betas, ", "))},
                     {"smallest gap", fmt::format("{:.4g}", std::ranges::min(network.gaps))}},
      .comparisons = {table},
      .tables = {numbers},
      .figures =
          {{.name = "error-over-beta",
            .chart =
                error_chart("Error of one update over beta, states 0.1 M away",
                            select(steps, &Step::distance, kPlottedDistance), &Step::beta, {.title = "beta"}),
            .caption = "The error decreases exponentially with beta down to rounding errors. The bound also "
                       "decreases exponentially, many orders of magnitude above the error."},
           {.name = "error-over-distance",
            .chart = error_chart("Error of one update over the distance of the state, beta = 1",
                                 select(steps, &Step::beta, 1), &Step::distance,
                                 {.title = "distance / M", .format = ".2f"}),
            .caption =
                "One update moves even distant states to their pattern, within rounding errors. The bound, "
                "which holds for every direction, grows much faster with the distance."}},
      .notes = {
          "The theorems apply to patterns that are well separated, with a gap of at least 2 / (beta N) + "
          "ln(2 (N-1) N beta M^2) / beta. With small beta there are none, and one update then mixes "
          "patterns.",
          "The distance in the bounds is the larger one of the distances of the state and of the fixed "
          "point from the pattern. With the distance of the state alone, the bounds would not hold if "
          "the fixed point is farther away."}};
}

} // namespace

Experiment hopfield_one_step() {
  return {.id = "hopfield/one-step",
          .title = "One update retrieves a pattern",
          .claim =
              "From the neighbourhood of a well separated pattern, one update retrieves the pattern with an "
              "error that decreases exponentially with the gap between patterns and has a known bound.",
          .source = "Ramsauer et al. 2020, theorems 4 and 5",
          .is_parallel = true,
          .run = run};
}

} // namespace mneme::experiments
