// SPDX-License-Identifier: MIT

#include "experiments/leap/recall_fits.h"

#include "mneme/training/recall_trainer.h"

namespace mneme::experiments {
namespace {

[[maybe_unused]] const bool implemented = recall_fits.implement(training::train_recall);

} // namespace
} // namespace mneme::experiments
