// SPDX-License-Identifier: MIT

/// Forward and backward pass of the models of binary_models.h on a full batch.
#pragma once

#include <memory>
#include <vector>

#include "mneme/training/binary_models.h"

namespace mneme::training {

/// Holds the batch and all scratch buffers, so that a step does not allocate.
class ModelStep {
public:
  virtual ~ModelStep() = default;

  /// Computes the logit of each sample.
  virtual void forward(const std::vector<double>& parameters, std::vector<double>& logits) = 0;
  /// Backward pass of the last `forward`, which must have had the same parameters. `logit_gradient` is the
  /// gradient of the loss with respect to the logits; overwrites `gradient`, that with respect to the
  /// parameters.
  virtual void backward(const std::vector<double>& parameters, const std::vector<double>& logit_gradient,
                        std::vector<double>& gradient) = 0;
};

std::unique_ptr<ModelStep> self_attention_step(const SelfAttentionModel& model, const BitPatterns& inputs);
/// `dropout` nullptr: no dropout.
std::unique_ptr<ModelStep> mlp_step(const MlpModel& model, const BitPatterns& inputs, Random* dropout);

} // namespace mneme::training
