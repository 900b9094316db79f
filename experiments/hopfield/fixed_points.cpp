// SPDX-License-Identifier: MIT

/// Fixed points of the update as beta grows: one mean of all patterns, means of clusters, single patterns.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/curves.h"
#include "experiments/experiment.h"
#include "experiments/hopfield/network.h"
#include "mneme/data/random_patterns.h"
#include "mneme/memory/hopfield_energy.h"
#include "mneme/memory/separation.h"
#include "mneme/memory/similarity.h"
#include "mneme/theory/hopfield_bounds.h"
#include "mneme/trials/confidence.h"

namespace mneme::experiments {
namespace {

constexpr int64_t kSize = 32, kClusters = 4, kPerCluster = 4, kStored = kClusters * kPerCluster;
// Distance of a pattern from the centre of its cluster, which has length 1, before scaling.
constexpr double kSpread = 0.35;
constexpr double kMass = 0.9;  // total weight of the patterns that count as mixed
constexpr double kSame = 1e-6; // fixed points within this distance (times M) are equal; accuracy is 1e-9

enum Stream : uint64_t { kCentres, kDirections };

struct Network {
  RealPatterns stored; ///< grouped by cluster, all of the same length
  double norm = 0, farthest_from_mean = 0;
  std::vector<double> mean;
  std::vector<std::vector<double>> cluster_means;
};

Network draw(const Random& random) {
  const RealPatterns centres = data::random_sphere(kClusters, kSize, random.stream(kCentres));
  RealPatterns patterns(kStored, kSize);
  for (int64_t i = 0; i < kStored; ++i) {
    std::ranges::copy(centres[i / kPerCluster], patterns[i].begin());
  }
  Network network{.stored = normalised(perturbed(std::move(patterns), kSpread, random.stream(kDirections)),
                                       std::sqrt(static_cast<double>(kSize - 1)))};
  network.norm = max_norm(network.stored);
  network.mean = mean_pattern(network.stored, 0, kStored);
  for (int64_t c = 0; c < kClusters; ++c) {
    network.cluster_means.push_back(mean_pattern(network.stored, c * kPerCluster, (c + 1) * kPerCluster));
  }
  for (int64_t i = 0; i < kStored; ++i) {
    network.farthest_from_mean =
        std::max(network.farthest_from_mean, distance(network.stored[i], network.mean));
  }
  return network;
}

/// Fixed points reached from all stored patterns.
struct Ends {
  double to_mean = 0, to_cluster = 0, to_pattern = 0; ///< mean distance, in units of M
  double in_mix = 0;                                  ///< mean number of patterns with 90 % of the weight
  int64_t different = 0;                              ///< number of different fixed points
  int64_t updates = 0;
  bool converged = true;
};

Ends ends_of(const Network& network, double beta) {
  const auto [states, updates, converged] = iterate_to_fixed_points(network.stored, network.stored, beta);
  const RealPatterns weights = separate(similarity(states, network.stored, Dot{}), Softmax{beta});
  Ends ends{.updates = updates, .converged = converged};
  for (int64_t i = 0; i < kStored; ++i) {
    constexpr double kWeight = 1.0 / static_cast<double>(kStored);
    ends.to_mean += distance(states[i], network.mean) / network.norm * kWeight;
    ends.to_cluster += distance(states[i], network.cluster_means[static_cast<size_t>(i / kPerCluster)]) /
                       network.norm * kWeight;
    ends.to_pattern += distance(states[i], network.stored[i]) / network.norm * kWeight;
    ends.in_mix += static_cast<double>(top_p_count(weights[i], kMass)) * kWeight;
    bool is_new = true;
    for (int64_t j = 0; j < i; ++j) {
      is_new = is_new && distance(states[i], states[j]) > kSame * network.norm;
    }
    ends.different += is_new ? 1 : 0;
  }
  return ends;
}

/// True if all patterns are well separated, so that the theorem guarantees a fixed point near each of them.
bool all_well_separated(const Network& network, double beta) {
  return std::ranges::min(hopfield_gaps(network.stored)) >=
         theory::hopfield_min_gap(
             {.beta = beta, .num_stored = static_cast<double>(kStored), .max_norm = network.norm});
}

struct AtBeta {
  double beta = 0;
  std::vector<Ends> ends; ///< per seed
  /// Seeds for which theory guarantees a single fixed point, and those of them with more.
  int64_t guaranteed_one = 0, not_one = 0;
  /// Seeds for which theory guarantees a fixed point at every pattern, and those of them with fewer.
  int64_t guaranteed_all = 0, not_all = 0;

  trials::MeanInterval mean(auto Ends::*number) const {
    std::vector<double> numbers;
    for (const Ends& one : ends) {
      numbers.push_back(static_cast<double>(one.*number));
    }
    return trials::mean_interval(numbers);
  }
};

report::Series series_of(const char* name, const std::vector<AtBeta>& all, auto Ends::*number) {
  report::Series series{.name = name};
  for (const AtBeta& at : all) {
    series.points.push_back({at.beta, estimate_of(at.mean(number))});
  }
  return series;
}

report::Chart chart_of(const std::string& title, const char* description, report::Axis y,
                       std::vector<report::Series> series) {
  return to_chart(report::LineChart{.title = title,
                                    .description = description,
                                    .x = {.title = "beta", .logarithmic = true},
                                    .y = std::move(y),
                                    .series = std::move(series)});
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const int64_t seeds = settings.quick ? 5 : 30;
  const std::vector<double> betas = logspace(-2.5, 1.5, settings.quick ? 17 : 33);
  std::vector<Network> networks;
  for (int64_t seed = 0; seed < seeds; ++seed) {
    networks.push_back(draw(Random(settings.seed).stream(static_cast<uint64_t>(seed))));
  }
  std::vector<AtBeta> all;
  int64_t num_not_converged = 0;
  progress.start("fixed points", static_cast<int64_t>(betas.size()) * seeds);
  for (const double beta : betas) {
    AtBeta& at = all.emplace_back(AtBeta{.beta = beta});
    for (const Network& network : networks) {
      const Ends& ends = at.ends.emplace_back(ends_of(network, beta));
      num_not_converged += ends.converged ? 0 : 1;
      if (theory::hopfield_has_unique_fixed_point(beta, network.farthest_from_mean)) {
        ++at.guaranteed_one;
        at.not_one += ends.different != 1 ? 1 : 0;
      }
      if (all_well_separated(network, beta)) {
        ++at.guaranteed_all;
        at.not_all += ends.different != kStored ? 1 : 0;
      }
      progress.advance();
    }
  }
  progress.finish();

  ComparisonTable table{.title = "Number of networks whose fixed points contradict theory",
                        .source =
                            "theorem 4; the condition for a single fixed point follows from the update's "
                            "Jacobian",
                        .tolerance = "0: no contradictions."};
  TitledTable numbers{.title = "Means over seeds, distances in units of M"};
  numbers.table.columns = {{.name = "beta", .digits = 3},
                           {.name = "fixed points", .key = "fixed_points", .digits = 3},
                           {.name = "patterns mixed", .key = "in_mix", .digits = 3},
                           {.name = "distance to the mean of all", .key = "to_mean", .digits = 3},
                           {.name = "distance to the cluster's mean", .key = "to_cluster", .digits = 3},
                           {.name = "distance to the pattern", .key = "to_pattern", .digits = 3},
                           {.name = "updates", .digits = 3}};
  int64_t one = 0, every = 0;
  double nearest_cluster = HUGE_VAL, nearest_beta = 0;
  for (const AtBeta& at : all) {
    one += at.guaranteed_one;
    every += at.guaranteed_all;
    if (at.guaranteed_one > 0) {
      table.rows.push_back(
          {.what = fmt::format("beta = {:.3g}: not one for all, of {} networks that must have one", at.beta,
                               at.guaranteed_one),
           .measured = exact_mean(static_cast<double>(at.not_one))});
    }
    if (at.guaranteed_all > 0) {
      table.rows.push_back(
          {.what = fmt::format("beta = {:.3g}: not one per pattern, of {} networks that must have {}",
                               at.beta, at.guaranteed_all, kStored),
           .measured = exact_mean(static_cast<double>(at.not_all))});
    }
    const trials::MeanInterval to_cluster = at.mean(&Ends::to_cluster);
    if (to_cluster.mean < nearest_cluster) {
      nearest_cluster = to_cluster.mean;
      nearest_beta = at.beta;
    }
    numbers.table.rows.push_back({at.beta, cell(at.mean(&Ends::different)), cell(at.mean(&Ends::in_mix)),
                                  cell(at.mean(&Ends::to_mean)), cell(to_cluster),
                                  cell(at.mean(&Ends::to_pattern)), cell(at.mean(&Ends::updates))});
  }
  std::vector<std::string> notes = {
      fmt::format(
          "Between the two conditions theory makes no statement, and all three kinds occur: at beta = {:.2g} "
          "states converge on average to a distance of {:.2g} M from the mean of their own cluster, which is "
          "a metastable state of {} patterns.",
          nearest_beta, nearest_cluster, kPerCluster),
      "Near a transition states converge slowly: in hundreds to thousands of updates, instead of a few."};
  if (num_not_converged > 0) {
    notes.push_back(
        fmt::format("{} runs had not converged to 1e-12 when they were stopped.", num_not_converged));
  }
  return {
      .parameters = {{"stored patterns",
                      fmt::format("{} clusters of {} in {} dimensions, all of length {:.4g}", kClusters,
                                  kPerCluster, kSize, networks.front().norm)},
                     {"states",
                      "start at every pattern, and are updated until no component changes by 1e-12"},
                     {"beta", fmt::format("{:.3g} to {:.3g}", betas.front(), betas.back())},
                     {"seeds", fmt::format("{} from seed {}", seeds, settings.seed)},
                     {"guaranteed by theory",
                      fmt::format("one fixed point in {} networks, one per pattern in {}", one, every)}},
      .comparisons = {table},
      .tables = {numbers},
      .figures =
          {{.name = "distances",
            .chart =
                chart_of("Distance of the fixed point to three candidates",
                         "Distance of the fixed point to the mean, to the cluster's mean and to the pattern.",
                         {.title = "distance / M"},
                         {series_of("mean of all", all, &Ends::to_mean),
                          series_of("mean of the cluster", all, &Ends::to_cluster),
                          series_of("pattern itself", all, &Ends::to_pattern)}),
            .caption =
                "One curve after the other approaches 0: with small beta states converge to the mean of all "
                "patterns, with medium beta to the mean of their cluster, and with large beta to their own "
                "pattern."},
           {.name = "mix",
            .chart = chart_of("Number of patterns mixed in a fixed point, and number of fixed points",
                              "Number of patterns with 90 % of the weight, and of different fixed points.",
                              {.title = "count"},
                              {series_of("patterns in the mix", all, &Ends::in_mix),
                               series_of("different fixed points", all, &Ends::different)}),
            .caption = "With growing beta, the network goes from one fixed point that mixes all patterns to "
                       "one fixed point per pattern, with a plateau at the clusters in between."}},
      .notes = std::move(notes)};
}

} // namespace

Experiment hopfield_fixed_points() {
  return {
      .id = "hopfield/fixed-points",
      .title = "Three kinds of fixed points as beta grows",
      .claim =
          "The update has three kinds of fixed points: one near the mean of all patterns, metastable ones "
          "near the mean of a group of similar patterns, and ones near single patterns.",
      .source = "Ramsauer et al. 2020, section 2 and theorem 4",
      .is_parallel = true,
      .run = run};
}

} // namespace mneme::experiments
