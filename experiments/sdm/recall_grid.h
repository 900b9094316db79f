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

/// Description of the tolerance `trials::allowed_difference`; `floor` describes its constant part.
std::string tolerance_text(const std::string& floor);

/// Chart of the mean cosine over the distance with one line per radius and dots for the baseline 1 - 2k/n,
/// next to the same chart of the published points, if there are any.
Figure recall_figure(const std::string& algorithm, int64_t bits, const std::vector<GridPoint>& measured,
                     const std::vector<GridPoint>& published);

/// Published points, from a golden file with cases {algorithm, hamm_radius, perturb, mean, std, steps}.
std::vector<GridPoint> golden_points(const char* name);

/// Comparison of golden and measured points, one table per algorithm.
std::vector<ComparisonTable> compare_with_golden(const std::vector<GridPoint>& measured,
                                                 const std::vector<GridPoint>& golden,
                                                 const std::string& source);

/// The point with these keys, or null.
const GridPoint* find_point(const std::vector<GridPoint>& points, const std::string& algorithm,
                            int64_t radius, int64_t distance);

/// Table of all points with standard deviation and steps.
TitledTable grid_table(const std::vector<GridPoint>& points);

/// Notes that apply to all recall experiments.
std::vector<std::string> recall_notes();

} // namespace mneme::experiments
