// SPDX-License-Identifier: MIT

#include "mneme/trials/recall_grid.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/parallel.h"

namespace mneme::trials {
namespace {

/// Purposes of random streams.
enum class Purpose : uint64_t { patterns = 1, cues = 2, locations = 3 };

Random random_for(const RecallGrid& grid, Purpose purpose, int64_t data_set) {
  return Random(grid.seed).stream(static_cast<uint64_t>(purpose)).stream(static_cast<uint64_t>(data_set));
}

struct DataSet {
  PublishedPatterns patterns;
  std::vector<PublishedPatterns> cues; ///< one element per distance
};

} // namespace

std::vector<GridPoint> recall_over_grid(const RecallGrid& grid, const DrawPatterns& patterns,
                                        Progress& progress) {
  if (grid.data_sets < 1 || grid.cues < 1) {
    throw UsageError(fmt::format("mneme::trials::recall_over_grid: {} data sets of {} cues were requested.\n "
                                 " At least one of each is needed.",
                                 grid.data_sets, grid.cues));
  }
  std::vector<DataSet> data_sets;
  progress.start("patterns and cues", grid.data_sets);
  for (int64_t d = 0; d < grid.data_sets; ++d) {
    DataSet& set = data_sets.emplace_back();
    set.patterns = patterns(d, random_for(grid, Purpose::patterns, d));
    for (const int64_t distance : grid.distances) {
      set.cues.push_back(
          published_cues(set.patterns, grid.cues, distance, grid.keep_nearest,
                         random_for(grid, Purpose::cues, d).stream(static_cast<uint64_t>(distance))));
    }
    progress.advance();
  }
  progress.finish();

  struct Task {
    size_t algorithm, radius;
    int64_t data_set;
  };
  std::vector<Task> tasks;
  for (size_t a = 0; a < grid.algorithms.size(); ++a) {
    for (size_t r = 0; r < grid.radii.size(); ++r) {
      for (int64_t d = 0; d < grid.data_sets; ++d) {
        tasks.push_back({a, r, d});
      }
    }
  }
  struct Run {
    std::vector<double> cosines;
    int64_t steps = 0;
  };
  std::vector<std::vector<Run>> runs(tasks.size()); // [tasks, distances]
  progress.start("recall", static_cast<int64_t>(tasks.size()));
  parallel_for(static_cast<int64_t>(tasks.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const auto [a, r, d] = tasks[static_cast<size_t>(t)];
      const DataSet& set = data_sets[static_cast<size_t>(d)];
      const PublishedMemory memory(grid.algorithms[a], set.patterns,
                                   {.hamming_radius = grid.radii[r],
                                    .hard_locations = grid.hard_locations,
                                    .update_steps_max = grid.update_steps_max,
                                    .seed = random_for(grid, Purpose::locations, d).at(0)});
      for (const PublishedPatterns& cues : set.cues) {
        PublishedRecall recall = memory.recall(cues);
        runs[static_cast<size_t>(t)].push_back({std::move(recall.cosines), recall.steps});
      }
      progress.advance();
    }
  });
  progress.finish();

  std::vector<GridPoint> points;
  const auto data_sets_each = static_cast<size_t>(grid.data_sets);
  for (size_t first = 0; first < tasks.size(); first += data_sets_each) {
    for (size_t k = 0; k < grid.distances.size(); ++k) {
      GridPoint& point = points.emplace_back();
      point.algorithm = grid.algorithms[tasks[first].algorithm];
      point.radius = grid.radii[tasks[first].radius];
      point.distance = grid.distances[k];
      std::vector<double> means;
      double squares = 0;
      for (size_t t = first; t < first + data_sets_each; ++t) {
        const auto [cosines, steps] = runs[t][k];
        const auto count = static_cast<double>(cosines.size());
        means.push_back(std::accumulate(cosines.begin(), cosines.end(), 0.0) / count);
        for (const double cosine : cosines) {
          squares += (cosine - means.back()) * (cosine - means.back());
        }
        point.samples += static_cast<int64_t>(cosines.size());
        point.steps = std::max(point.steps, steps);
      }
      point.mean = mean_interval(means);
      const double mean = point.mean.mean;
      double spread = 0; // sum of squared deviations of the means of the data sets
      for (const double one : means) {
        spread += (one - mean) * (one - mean);
      }
      const auto samples = static_cast<double>(point.samples), sets = static_cast<double>(means.size());
      point.data_sets = grid.data_sets;
      point.deviation = std::sqrt((squares + spread * static_cast<double>(grid.cues)) / samples);
      if (means.size() > 1) {
        point.between_data_sets = std::sqrt(spread / (sets - 1));
      }
    }
  }
  return points;
}

double allowed_difference(const GridPoint& measured, const GridPoint& published, double floor) {
  // Both are samples of the same distribution, so their deviations are pooled: a rare failure may occur in
  // only one.
  const auto ours = static_cast<double>(measured.samples), theirs = static_cast<double>(published.samples);
  const double pooled =
      (ours * measured.deviation * measured.deviation + theirs * published.deviation * published.deviation) /
      (ours + theirs);
  const double sets =
      1 / static_cast<double>(measured.data_sets) + 1 / static_cast<double>(published.data_sets);
  return std::hypot(kMaxStandardErrors * std::sqrt(pooled * (1 / ours + 1 / theirs)),
                    kMaxDataSetErrors * measured.between_data_sets * std::sqrt(sets)) +
         floor;
}

} // namespace mneme::trials
