// SPDX-License-Identifier: MIT

#include "experiments/sdm/learn_projection.h"
#include "mneme/core/error.h"

namespace mneme::experiments {

bool can_learn_projections() {
  return false;
}

LearntProjection learn_projection(const RealPatterns&, const ProjectionTask&, Progress&) {
  throw UnsupportedError(
      "mneme::experiments::learn_projection: this program is built without LibTorch.\n  Build "
      "it with LibTorch.");
}

} // namespace mneme::experiments
