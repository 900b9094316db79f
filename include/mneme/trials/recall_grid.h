// SPDX-License-Identifier: MIT

/// Recall by the published algorithms over a grid of radii and cue distances, and the tolerance for comparing
/// two means.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/trials/confidence.h"
#include "mneme/trials/published_recall.h"

namespace mneme::trials {

struct RecallGrid {
  std::vector<std::string> algorithms = {}; ///< names from `published_algorithms`
  std::vector<int64_t> radii = {};
  std::vector<int64_t> distances = {};
  double hard_locations = 0;
  int64_t data_sets = 1;
  int64_t cues = 1;               ///< per data set, made from its first patterns
  bool keep_nearest = true;       ///< see `published_cues`
  int64_t update_steps_max = 100; ///< as published
  uint64_t seed = 1;
};

/// Result of one algorithm at one radius and distance, over all data sets.
struct GridPoint {
  std::string algorithm = {};
  int64_t radius = 0, distance = 0;
  /// Mean cosine to the pattern. The interval is computed from the means of the data sets.
  MeanInterval mean = {};
  double deviation = 0; ///< standard deviation of the cosines (population)
  int64_t samples = 0;  ///< number of cues in all data sets
  int64_t data_sets = 1;
  double between_data_sets = 0; ///< standard deviation of the means of the data sets
  int64_t steps = 0;            ///< maximum number of update steps over the data sets
};

/// Draws the patterns of the data set with this index.
using DrawPatterns = std::function<PublishedPatterns(int64_t data_set, const Random& random)>;

/// Runs the grid; points are ordered by algorithm, radius and distance. Memories run in parallel; the cues of
/// a data set and distance are the same for all of them.
///
/// Errors  UsageError if data_sets < 1 or cues < 1, and as `PublishedMemory` and `published_cues`
std::vector<GridPoint> recall_over_grid(const RecallGrid& grid, const DrawPatterns& patterns,
                                        Progress& progress);

/// Maximum difference of two means in standard errors: one false alarm in 150 000 comparisons of normal
/// deviates.
constexpr double kMaxStandardErrors = 4.5;
/// Maximum for the variation between data sets; larger, because its deviation is estimated from few data
/// sets.
constexpr double kMaxDataSetErrors = 6;

/// Tolerance for the difference between the means of `measured` and `published`. The mean of `published` is
/// not used, only its deviation, samples and data sets. `floor` is the error of rounding or of reading off a
/// figure.
double allowed_difference(const GridPoint& measured, const GridPoint& published, double floor);

} // namespace mneme::trials
