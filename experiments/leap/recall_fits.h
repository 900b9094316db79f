// SPDX-License-Identifier: MIT

/// Training on multi-query associative recall, declared without LibTorch (mneme/core/torch_function.h).
#pragma once

#include <span>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"
#include "mneme/training/recall_task.h"

namespace mneme::experiments {

/// Calls training::train_recall.
inline constinit TorchFunction<std::vector<training::RecallFit>(std::span<const training::RecallJob> jobs,
                                                                Progress& progress)>
    recall_fits{"training on associative recall"};

} // namespace mneme::experiments
