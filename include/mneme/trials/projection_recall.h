// SPDX-License-Identifier: MIT

/// How well a memory recalls when patterns are compared by their projections: mean cosines over noise, for the
/// weightings of SDM and those that approximate them.
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
  std::vector<double> noise = {0, 50, 100, 150, 200, 250, 300}; ///< k: cues have the cosine 1 - 2 k / n
  /// Numbers of hard locations for SDM, absent: infinitely many.
  std::vector<std::optional<double>> hard_locations = {std::nullopt};
  std::optional<double> beta = {}; ///< of Cont_SDM_BFit_Attention, such as a learnt one; absent: fitted
  int64_t update_steps_max = 10;
  bool stop_together = true; ///< as published: all cues go on until the slowest has settled
  uint64_t seed = 1;
};

/// One weighting with one number of hard locations.
struct ProjectionRecall {
  std::string algorithm;                ///< the published name without "_NeuronLimit", such as "Cont_SDM"
  std::optional<double> hard_locations; ///< of SDM; absent: infinitely many
  double beta = 0;                      ///< of attention; 0 for SDM
  std::vector<double> mean_cosine, deviation; ///< between readout and target, for each noise
};

/// Recalls `targets` from noisy copies of them by Cont_SDM, Cont_Binary_SDM, Cont_SDM_BFit_Attention and
/// Cont_SDM_CFit_Attention (trials/published_recall.h); as published, readouts are not scaled to length 1 between
/// steps. SDM with so few locations that no two circles are expected to share
/// one is left out. float32.
///
/// Shapes  stored [S, n], targets [T, n] (the stored ones or others like them), matrix [dimension, n]
/// Errors  UsageError if sizes differ, no target or noise is given, or an option is out of its range; Interrupted
/// Cost    O(T S n) time per update step, noise and row; memory does not grow with T S
std::vector<ProjectionRecall> recall_with_projection(const RealPatterns& stored, const RealPatterns& targets,
                                                     const RealPatterns& matrix,
                                                     const ProjectionRecallOptions& test, Progress& progress);

} // namespace mneme::trials
