// SPDX-License-Identifier: MIT

/// Energy over update steps: it never increases, and stays between 0 and 2 M^2.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/curves.h"
#include "experiments/experiment.h"
#include "experiments/given_points.h"
#include "experiments/hopfield/network.h"
#include "mneme/memory/hopfield_energy.h"
#include "mneme/theory/hopfield_bounds.h"

namespace mneme::experiments {
namespace {

constexpr int64_t kSize = 32, kStored = 64, kUpdates = 12;
const std::vector<double> kBetas = {0.01, 0.03, 0.1, 0.3, 1, 3, 10};
/// Tolerance for rounding, relative to the maximum energy; these sums of float64 are accurate to about 1e-14.
constexpr double kRounding = 1e-12;
/// Minimum decrease whose ratio is evaluated, relative to the maximum energy; smaller ones have fewer than
/// six accurate digits.
constexpr double kMeasurable = 1e-6;

enum Stream : uint64_t { kPatterns, kMixtures, kNoise };

/// Energy statistics of a set of states over the updates at one beta.
struct Descent {
  double beta = 0;
  int64_t updates = 0;                                              ///< number of updates checked
  int64_t rose = 0, too_small = 0, below_zero = 0, above_bound = 0; ///< number of violations
  double min_energy = HUGE_VAL, max_energy = 0;                     ///< in units of 2 M^2
  double min_ratio = HUGE_VAL; ///< minimum of decrease / half the squared step length
  std::vector<double> means;   ///< mean energy after each update, in units of 2 M^2
};

/// Points in the convex hull of the patterns: random weights of sum 1, from nearly uniform to nearly one-hot.
RealPatterns mixtures(const RealPatterns& stored, int64_t count, Random random) {
  RealPatterns states(count, stored.size());
  for (int64_t i = 0; i < count; ++i) {
    const double sharpness = std::exp(4 * random.uniform()); // exponent of exponentially distributed weights
    std::vector<double> weights(static_cast<size_t>(stored.count()));
    double sum = 0;
    for (double& weight : weights) {
      weight = std::pow(-std::log1p(-random.uniform()), sharpness);
      sum += weight;
    }
    for (size_t j = 0; j < weights.size(); ++j) {
      for (size_t k = 0; k < states[i].size(); ++k) {
        states[i][k] += weights[j] / sum * stored[static_cast<int64_t>(j)][k];
      }
    }
  }
  return states;
}

/// Applies kUpdates updates and records the energies. `in_hull`: the initial states are in the convex hull,
/// so the upper bound holds from the start; otherwise it holds after one update.
void descend(RealPatterns states, bool in_hull, const RealPatterns& stored, Descent& descent) {
  const double energy_max = theory::hopfield_energy_max({.beta = descent.beta, .max_norm = max_norm(stored)});
  const double rounding = kRounding * energy_max;
  std::vector<double> before = hopfield_energy(states, stored, descent.beta);
  for (int64_t t = 0; t <= kUpdates; ++t) {
    for (const double energy : before) {
      descent.below_zero += energy < -rounding ? 1 : 0;
      descent.above_bound += (in_hull || t > 0) && energy > energy_max + rounding ? 1 : 0;
      descent.min_energy = std::min(descent.min_energy, energy / energy_max);
      if (in_hull || t > 0) {
        descent.max_energy = std::max(descent.max_energy, energy / energy_max);
      }
      if (in_hull) {
        descent.means[static_cast<size_t>(t)] += energy / energy_max / static_cast<double>(before.size());
      }
    }
    if (t == kUpdates) {
      return;
    }
    RealPatterns next = updated(states, stored, descent.beta);
    std::vector<double> after = hopfield_energy(next, stored, descent.beta);
    for (int64_t i = 0; i < states.count(); ++i) {
      const double decrease = before[static_cast<size_t>(i)] - after[static_cast<size_t>(i)];
      const double step = distance(next[i], states[i]), bound = step * step / 2;
      ++descent.updates;
      descent.rose += decrease < -rounding ? 1 : 0;
      descent.too_small += decrease < bound - rounding ? 1 : 0;
      if (bound > kMeasurable * energy_max) {
        descent.min_ratio = std::min(descent.min_ratio, decrease / bound);
      }
    }
    states = std::move(next);
    before = std::move(after);
  }
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const int64_t count = settings.quick ? 200 : 5000;
  const Random random(settings.seed);
  const int64_t size = given_value(settings, "bits", kSize),
                num_stored = given_value(settings, "patterns", kStored);
  const std::vector<double> betas = settings.numbers_of("beta", kBetas);
  const RealPatterns stored = sphere_patterns(num_stored, size, 1, random.stream(kPatterns));
  const RealPatterns inside = mixtures(stored, count, random.stream(kMixtures));
  const RealPatterns outside = perturbed(inside, 2 * max_norm(stored), random.stream(kNoise));

  std::vector<Descent> descents;
  progress.start("energy", std::ssize(betas));
  for (const double beta : betas) {
    Descent& descent =
        descents.emplace_back(Descent{.beta = beta, .means = std::vector<double>(kUpdates + 1)});
    descend(inside, true, stored, descent);
    descend(outside, false, stored, descent);
    progress.advance();
  }
  progress.finish();

  ComparisonTable table{
      .title = "Number of updates that violate the theorems",
      .source =
          "theorem 1 and appendix A of the paper; the decrease by at least half the squared step length "
          "follows from the concavity of -lse",
      .tolerance = "0: no violations. Energies are compared with a tolerance of 1e-12 of the maximum energy "
                   "for rounding."};
  TitledTable numbers{.title = "Energies in units of 2 M^2"};
  numbers.table.columns = {
      {.name = "beta"},
      {.name = "updates"},
      {.name = "minimum energy", .key = "least energy", .digits = 4},
      {.name = "maximum energy in the hull", .key = "largest_energy", .digits = 4},
      {.name = "minimum decrease / half the squared step length", .key = "least_fall", .digits = 4}};
  report::LineChart chart{.title = "Mean energy after each update",
                          .description = "Energy over updates for several inverse temperatures.",
                          .x = {.title = "update"},
                          .y = {.title = "energy / 2 M^2"},
                          .series_title = "beta"};
  for (const Descent& descent : descents) {
    const auto row = [&](const char* what, int64_t failures) {
      table.rows.push_back({.what = fmt::format("beta = {:g}: {}", descent.beta, what),
                            .measured = exact_mean(static_cast<double>(failures))});
    };
    row("the energy rises", descent.rose);
    row("it falls by less than half the squared move", descent.too_small);
    row("it is below 0", descent.below_zero);
    row("it is above 2 M^2 in the convex hull", descent.above_bound);
    numbers.table.rows.push_back(
        {descent.beta, descent.updates, descent.min_energy, descent.max_energy, descent.min_ratio});
    report::Series series{.name = fmt::format("{:g}", descent.beta)};
    for (size_t t = 0; t < descent.means.size(); ++t) {
      series.points.push_back({static_cast<double>(t), exact_point(descent.means[t])});
    }
    chart.series.push_back(std::move(series));
  }
  return {
      .parameters = {{"stored patterns",
                      fmt::format("{} random points on the sphere in {} dimensions, M = {:.4g}", num_stored,
                                  size, max_norm(stored))},
                     {"states",
                      fmt::format("{} mixtures of patterns, and {} points far outside of their convex hull",
                                  count, count)},
                     {"beta", fmt::format("{}", fmt::join(betas, ", "))},
                     {"updates", std::to_string(kUpdates)}},
      .comparisons = {table},
      .tables = {numbers},
      .figures = {{.name = "energy",
                   .chart = to_chart(chart),
                   .caption =
                       "No curve increases. With small beta all states converge to one point near the "
                       "mean, almost in one update; with large beta each state converges to a pattern."}},
      .notes = {"The paper states that the energy decreases. The stronger statement that it decreases by at "
                "least half the squared step length is also checked here. This bound is tight: the table "
                "contains ratios of 1."}};
}

} // namespace

Experiment hopfield_energy_descent() {
  return {
      .id = "hopfield/energy",
      .title = "Updates never increase the energy",
      .claim = "The update softmax(beta X^T xi) minimises an energy that is between 0 and 2 M^2 within the "
               "convex hull of the patterns, and no update increases it.",
      .source = "Ramsauer et al. 2020, theorems 1 and 2",
      .is_parallel = true,
      .run = run,
      .parameters = {{.name = "bits", .help = "Bits per pattern n", .published = "32", .min = 2},
                     {.name = "patterns", .help = "Number of stored patterns", .published = "64", .min = 2},
                     {.name = "beta",
                      .help = "Inverse temperature",
                      .published = "0.01 to 10",
                      .max = 1'000'000,
                      .is_real = true}}};
}

} // namespace mneme::experiments
