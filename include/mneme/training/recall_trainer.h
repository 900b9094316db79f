// SPDX-License-Identifier: MIT

/// Trains models for multi-query associative recall.
#pragma once

#include <span>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/training/recall_task.h"

namespace mneme::training {

/// Runs jobs in parallel, each on one thread; results are in the order of the jobs and do not depend on the
/// number of threads. Progress advances by epochs, by all of them for a run that ends early; the caller
/// starts its stage.
///
/// Parameters  linear layers and embeddings are initialised from a normal distribution with standard
///             deviation 0.02, output projections with half of it; biases are 0; the convolution is uniform
///             in +- 1 / sqrt(3)
/// Errors      UsageError if a job has no data, its two sets differ in vocabulary or length, an option is out
///             of its range, or the model has an option that its mixer does not have; Interrupted
/// Source      Arora, Eyuboglu et al. 2023 (arXiv 2312.04927); gated convolution (BaseConv) as first layer:
///             Arora et al. 2024, "Based" (arXiv 2402.18668)
std::vector<RecallFit> train_recall(std::span<const RecallJob> jobs, Progress& progress);

} // namespace mneme::training
