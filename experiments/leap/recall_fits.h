// SPDX-License-Identifier: MIT

/// Training on multi-query associative recall, declared without LibTorch (mneme/core/torch_function.h).
#pragma once

#include <span>
#include <vector>

#include "experiments/parts.h"
#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"
#include "mneme/training/recall_task.h"

namespace mneme::experiments {

/// Calls training::train_recall for each job, several at once. Finished jobs are kept in `parts` by their
/// position in `jobs`, and are not trained again.
inline constinit TorchFunction<std::vector<training::RecallFit>(std::span<const training::RecallJob> jobs,
                                                                const Parts& parts, Progress& progress)>
    recall_fits{"training on associative recall"};

} // namespace mneme::experiments
