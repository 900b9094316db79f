// SPDX-License-Identifier: MIT

/// Recall by the published algorithms over radii and distances: what SDM_Experiments sweeps over.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "experiments/experiment.h"
#include "mneme/trials/published_recall.h"

namespace mneme::experiments {

struct RecallGrid {
  std::vector<std::string> algorithms;
  std::vector<int64_t> radii;
  std::vector<int64_t> distances;
  double hard_locations = 0;
  int64_t data_sets = 1;
  int64_t cues = 0; ///< per data set, of its first patterns
  bool keep_nearest = true;
  uint64_t seed = 1;
};

/// One algorithm at one radius and distance, over all data sets.
struct GridPoint {
  std::string algorithm;
  int64_t radius = 0, distance = 0;
  report::Estimate mean = {}; ///< of the cosine to the pattern; the interval is that of the data sets' means
  double deviation = 0;       ///< of the cosines themselves (population)
  int64_t samples = 0;        ///< cues of all data sets
  int64_t data_sets = 1;
  double between_data_sets =
      0;             ///< deviation of their true means, as far as it exceeds what chance in cues explains
  int64_t steps = 0; ///< most steps of a data set
};

/// Patterns of a data set by its number.
using DrawPatterns = std::function<trials::PublishedPatterns(int64_t data_set, const Random& random)>;

/// In order: algorithm, radius, distance. Memories run beside each other.
std::vector<GridPoint> recall_over_grid(const RecallGrid& grid, const DrawPatterns& patterns,
                                        Progress& progress);

/// Standard errors that two means may lie apart: one false alarm in 150 000 normal deviates.
constexpr double kErrors = 4.5;
/// The same for the part that comes from data sets, whose deviation is itself estimated from few of them.
constexpr double kDataSetErrors = 6;

/// How far the mean of `published` (its deviation, samples and data sets count) may lie from the measured one; `floor`
/// is what rounding or reading off a figure adds.
double allowed_difference(const GridPoint& measured, const GridPoint& published, double floor);

/// In words, for tables. `floor` as above, with its reason.
std::string tolerance_text(const std::string& floor);

/// Mean cosine over the distance, a line per radius, dots for the baseline 1 - 2k/n; beside it the same chart of
/// published points where there are any.
Figure recall_figure(const std::string& algorithm, int64_t bits, const std::vector<GridPoint>& measured,
                     const std::vector<GridPoint>& published);

/// Published points as the grid has them, from a golden file of cases {algorithm, hamm_radius, perturb, mean, std}.
std::vector<GridPoint> golden_points(const char* name);

/// One table per algorithm: every golden point beside the measured one.
std::vector<ComparisonTable> compare_with_golden(const std::vector<GridPoint>& measured,
                                                 const std::vector<GridPoint>& golden,
                                                 const std::string& source);

/// The point there, or null.
const GridPoint* find_point(const std::vector<GridPoint>& points, const std::string& algorithm,
                            int64_t radius, int64_t distance);

/// Every point with its deviation and steps.
TitledTable grid_table(const std::vector<GridPoint>& points);

/// Said of every recall experiment.
std::vector<std::string> recall_notes();

} // namespace mneme::experiments
