// SPDX-License-Identifier: MIT

/// Recall by the published algorithms over radii and distances of the cues, and when two such means agree.
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
  std::vector<std::string> algorithms = {}; ///< of `published_algorithms`
  std::vector<int64_t> radii = {};
  std::vector<int64_t> distances = {};
  double hard_locations = 0;
  int64_t data_sets = 1;
  int64_t cues = 1;               ///< per data set, of its first patterns
  bool keep_nearest = true;       ///< see `published_cues`
  int64_t update_steps_max = 100; ///< as published
  uint64_t seed = 1;
};

/// One algorithm at one radius and distance, over all data sets.
struct GridPoint {
  std::string algorithm = {};
  int64_t radius = 0, distance = 0;
  MeanInterval mean = {}; ///< of the cosine to the pattern; the interval is that of the data sets' means
  double deviation = 0;   ///< of the cosines themselves (population)
  int64_t samples = 0;    ///< cues of all data sets
  int64_t data_sets = 1;
  double between_data_sets = 0; ///< deviation of the data sets' means
  int64_t steps = 0;            ///< most steps of a data set
};

/// Patterns of a data set by its number.
using DrawPatterns = std::function<PublishedPatterns(int64_t data_set, const Random& random)>;

/// In order: algorithm, radius, distance. Memories run beside each other; cues of one data set and distance are the
/// same for all of them.
///
/// Errors  UsageError if data_sets < 1, cues < 1, or as `PublishedMemory` and `published_cues`
std::vector<GridPoint> recall_over_grid(const RecallGrid& grid, const DrawPatterns& patterns,
                                        Progress& progress);

/// Standard errors that two means may lie apart: one false alarm in 150 000 normal deviates.
constexpr double kErrors = 4.5;
/// The same for the part that comes from data sets, whose deviation is itself estimated from few of them.
constexpr double kDataSetErrors = 6;

/// How far the mean of `published` (its deviation, samples and data sets count) may lie from the measured one;
/// `floor` is what rounding or reading off a figure adds.
double allowed_difference(const GridPoint& measured, const GridPoint& published, double floor);

} // namespace mneme::trials
