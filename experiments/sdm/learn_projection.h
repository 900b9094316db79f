// SPDX-License-Identifier: MIT

/// Training for experiments, without a word of LibTorch: a program links mneme_experiments_nn, or
/// mneme_experiments_no_nn and starts without loading it.
#pragma once

#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/progress.h"

namespace mneme::experiments {

struct ProjectionTask {
  int64_t hamming_radius = 0;
  bool learn_beta = false;
  int64_t epochs = 0;
  uint64_t seed = 1;
};

struct LearntProjection {
  RealPatterns start, matrix; ///< before and after training
  double beta_start = 0, beta = 0;
  std::vector<double> losses; ///< one per step
};

/// learn_projection.cpp: true; no_learn_projection.cpp: false.
bool can_learn_projections();

/// Errors  UsageError, Interrupted; UnsupportedError where it cannot
LearntProjection learn_projection(const RealPatterns& images, const ProjectionTask& task, Progress& progress);

} // namespace mneme::experiments
