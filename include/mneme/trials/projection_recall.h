// SPDX-License-Identifier: MIT

/// Evaluation of pattern projections: mean cosines of recall over noise, if patterns are compared by their
/// projections, for the weightings of SDM and those that approximate them.
///
/// Source  Bricken & Pehlevan 2021, "Attention Approximates Sparse Distributed Memory", learned projections
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/progress.h"

namespace mneme::trials {

struct ProjectionRecallOptions {
  int64_t hamming_radius = 11;                                  ///< in bits of the projected dimension
  std::vector<double> noise = {0, 50, 100, 150, 200, 250, 300}; ///< k: cues have a cosine of 1 - 2 k / n
  /// Numbers of hard locations for SDM; nullopt: infinite.
  std::vector<std::optional<double>> hard_locations = {std::nullopt};
  std::optional<double> beta = {}; ///< of Cont_SDM_BFit_Attention, for example a learned one; absent: fitted
  int64_t update_steps_max = 10;
  bool stop_together = true; ///< as published: all cues are updated until the slowest has converged
  uint64_t seed = 1;
};

/// One weighting with one number of hard locations.
struct ProjectionRecall {
  std::string algorithm;                ///< published name without "_NeuronLimit", such as "Cont_SDM"
  std::optional<double> hard_locations; ///< of SDM; absent: infinite
  double beta = 0;                      ///< of attention; 0 for SDM
  /// Mean and standard deviation of the cosine between readout and target, for each noise.
  std::vector<double> mean_cosine, deviation;
};

/// Recalls `targets` from noisy copies by Cont_SDM, Cont_Binary_SDM, Cont_SDM_BFit_Attention and
/// Cont_SDM_CFit_Attention (trials/published_recall.h) in float32. As published, readouts are not normalised
/// between update steps. Rows of SDM with so few locations that two circles are not expected to share any are
/// omitted.
///
/// Shapes  stored [S, n], targets [T, n] (stored patterns or similar ones), matrix [dimension, n]
/// Errors  UsageError if sizes differ, no target or noise is given, or an option is out of range; Interrupted
/// Cost    O(T S n) time per update step, noise and row; memory does not grow with T S
std::vector<ProjectionRecall> recall_with_projection(const RealPatterns& stored, const RealPatterns& targets,
                                                     const RealPatterns& matrix,
                                                     const ProjectionRecallOptions& test, Progress& progress);

} // namespace mneme::trials
