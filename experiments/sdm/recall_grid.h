// SPDX-License-Identifier: MIT

/// Figures, tables and comparisons of recall over radii and distances (mneme/trials/recall_grid.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/experiment.h"
#include "mneme/trials/recall_grid.h"

namespace mneme::experiments {

using trials::GridPoint;

/// `trials::allowed_difference` in words, for tables. `floor` with its reason.
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
