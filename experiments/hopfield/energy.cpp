// SPDX-License-Identifier: MIT

/// Energy over update steps: it never rises, and stays between 0 and 2 M^2.

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

constexpr int64_t kSize = 32, kStored = 64, kUpdates = 12;
const std::vector<double> kBetas = {0.01, 0.03, 0.1, 0.3, 1, 3, 10};
/// Of the largest energy: sums of so many float64 numbers are good to about 1e-14 of it.
constexpr double kRounding = 1e-12;
/// Of the largest energy: a fall below that is measured with fewer than six digits, and its ratio says nothing.
constexpr double kMeasurable = 1e-6;

enum Stream : uint64_t { kPatterns, kMixtures, kNoise };

/// What a set of states went through at one beta.
struct Descent {
  double beta = 0;
  int64_t updates = 0;                                            ///< looked at
  int64_t rose = 0, fell_short = 0, below_zero = 0, too_high = 0; ///< of these
  double least = HUGE_VAL, largest = 0;                           ///< energy, in units of 2 M^2
  double tightest = HUGE_VAL; ///< least ratio of the fall to half the squared move
  std::vector<double> means;  ///< of the energy after each update, in units of 2 M^2
};

/// Points of the patterns' convex hull: random weights of sum 1, from nearly even to nearly one pattern.
RealPatterns mixtures(const RealPatterns& stored, int64_t count, Random random) {
  RealPatterns states(count, stored.size());
  for (int64_t i = 0; i < count; ++i) {
    const double sharpness = std::exp(4 * random.uniform()); // powers of exponential numbers: even to peaked
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

/// `in_hull`: the states begin in the convex hull, so the upper bound holds from the start; else after one update.
void descend(RealPatterns states, bool in_hull, const RealPatterns& stored, Descent& descent) {
  const double energy_max =
      theory::hopfield_energy_max({.beta = descent.beta, .largest_norm = largest_norm(stored)});
  const double rounding = kRounding * energy_max;
  std::vector<double> before = hopfield_energy(states, stored, descent.beta);
  for (int64_t t = 0; t <= kUpdates; ++t) {
    for (const double energy : before) {
      descent.below_zero += energy < -rounding ? 1 : 0;
      descent.too_high += (in_hull || t > 0) && energy > energy_max + rounding ? 1 : 0;
      descent.least = std::min(descent.least, energy / energy_max);
      if (in_hull || t > 0) {
        descent.largest = std::max(descent.largest, energy / energy_max);
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
      const double fall = before[static_cast<size_t>(i)] - after[static_cast<size_t>(i)];
      const double move = distance(next[i], states[i]), promised = move * move / 2;
      ++descent.updates;
      descent.rose += fall < -rounding ? 1 : 0;
      descent.fell_short += fall < promised - rounding ? 1 : 0;
      if (promised > kMeasurable * energy_max) {
        descent.tightest = std::min(descent.tightest, fall / promised);
      }
    }
    states = std::move(next);
    before = std::move(after);
  }
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const int64_t count = settings.quick ? 200 : 5000;
  const Random random(settings.seed);
  const RealPatterns stored = sphere_patterns(kStored, kSize, 1, random.stream(kPatterns));
  const RealPatterns inside = mixtures(stored, count, random.stream(kMixtures));
  const RealPatterns outside = moved(inside, 2 * largest_norm(stored), random.stream(kNoise));

  std::vector<Descent> descents;
  progress.start("energy", static_cast<int64_t>(kBetas.size()));
  for (const double beta : kBetas) {
    Descent& descent =
        descents.emplace_back(Descent{.beta = beta, .means = std::vector<double>(kUpdates + 1)});
    descend(inside, true, stored, descent);
    descend(outside, false, stored, descent);
    progress.advance();
  }
  progress.finish();

  ComparisonTable table{
      .title = "Updates that break what is proven",
      .source = "theorem 1 and appendix A of the paper; the fall by half the squared move follows from the "
                "concavity of -lse",
      .tolerance = "none: none may. 1e-12 of the largest energy is taken for rounding."};
  TitledTable numbers{.title = "Energies in units of 2 M^2"};
  numbers.table.columns = {{.name = "beta"},
                           {.name = "updates"},
                           {.name = "least energy", .digits = 4},
                           {.name = "largest energy in the hull", .key = "largest_energy", .digits = 4},
                           {.name = "least fall / half the squared move", .key = "least_fall", .digits = 4}};
  report::LineChart chart{.title = "Mean energy after each update",
                          .description = "Energy over updates for several inverse temperatures.",
                          .x = {.title = "update"},
                          .y = {.title = "energy / 2 M^2"},
                          .series_title = "beta"};
  for (const Descent& descent : descents) {
    const auto row = [&](const char* what, int64_t failures) {
      table.rows.push_back({.what = fmt::format("beta = {:g}: {}", descent.beta, what),
                            .measured = exactly(static_cast<double>(failures))});
    };
    row("the energy rises", descent.rose);
    row("it falls by less than half the squared move", descent.fell_short);
    row("it is below 0", descent.below_zero);
    row("it is above 2 M^2 in the convex hull", descent.too_high);
    numbers.table.rows.push_back(
        {descent.beta, descent.updates, descent.least, descent.largest, descent.tightest});
    report::Series series{.name = fmt::format("{:g}", descent.beta)};
    for (size_t t = 0; t < descent.means.size(); ++t) {
      series.points.push_back({static_cast<double>(t), certain(descent.means[t])});
    }
    chart.series.push_back(std::move(series));
  }
  return {
      .parameters = {{"stored patterns",
                      fmt::format("{} random ones of the sphere in {} dimensions, M = {:.4g}", kStored, kSize,
                                  largest_norm(stored))},
                     {"states",
                      fmt::format("{} mixtures of patterns, and {} far outside of their hull", count, count)},
                     {"beta", fmt::format("{}", fmt::join(kBetas, ", "))},
                     {"updates", std::to_string(kUpdates)}},
      .comparisons = {table},
      .tables = {numbers},
      .figures = {{.name = "energy",
                   .chart = to_chart(chart),
                   .look = "No line rises. With small beta all states fall to one point near the mean, which "
                           "one update nearly reaches; with large beta each falls into a pattern."}},
      .notes = {"The paper states that the energy falls; that it falls by at least half the squared move is "
                "a stronger statement, and checked here as well. It is tight: the table has ratios of 1."}};
}

} // namespace

Experiment hopfield_energy_descent() {
  return {.id = "hopfield/energy",
          .title = "An update never raises the energy",
          .claim =
              "The update softmax(beta X^T xi) minimises an energy that lies between 0 and 2 M^2 within the "
              "convex hull of the patterns, and no update raises it.",
          .source = "Ramsauer et al. 2020, theorems 1 and 2",
          .is_parallel = true,
          .run = run};
}

} // namespace mneme::experiments
