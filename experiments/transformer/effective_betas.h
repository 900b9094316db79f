// SPDX-License-Identifier: MIT

/// Transformer_Empirical_Analysis: effective betas of the attention heads of a transformer.
#pragma once

#include <vector>

#include "experiments/experiment.h"
#include "learning/heads.h"

namespace mneme::experiments {

/// The betas that were read off the published figures, next to those of a model with the sizes of gpt2-small
/// or gpt2-large; empty for other models. They are compared only if the texts have as many tokens as the
/// published ones.
std::vector<ComparisonTable> compare_with_published(const learning::HeadsInspection& inspection);

} // namespace mneme::experiments
