// SPDX-License-Identifier: MIT

/// Learning a projection, declared without LibTorch (mneme/core/torch_function.h).
#pragma once

#include <filesystem>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"

namespace mneme::experiments {

struct ProjectionTask {
  int64_t hamming_radius = 0;
  bool learn_beta = false;
  int64_t epochs = 0;
  uint64_t seed = 1;
  /// File that the training is continued from, if it exists, and saved to. Empty: not saved.
  std::filesystem::path checkpoint = {};
};

struct LearnedProjection {
  RealPatterns start, matrix; ///< before and after training
  double beta_start = 0, beta = 0;
  std::vector<double> losses; ///< one per step
};

/// Errors  UsageError, Interrupted
inline constinit TorchFunction<LearnedProjection(const RealPatterns& images, const ProjectionTask& task,
                                                 Progress& progress)>
    learn_projection{"learning a projection"};

} // namespace mneme::experiments
