// SPDX-License-Identifier: MIT

/// A model on one batch: probabilities forwards, the gradient of the loss backwards.
#pragma once

#include <memory>
#include <vector>

#include "mneme/training/binary_models.h"

namespace mneme::training {

/// Keeps the batch and the room its steps need, so that a step allocates nothing of its own.
class ModelStep {
public:
  virtual ~ModelStep() = default;

  /// Writes one number per sample, whose sigmoid is the probability.
  virtual void forward(const std::vector<double>& parameters, std::vector<double>& outputs) = 0;
  /// Goes back through the last `forward`, of the same parameters: `slopes` are the derivatives of the loss by the
  /// outputs; overwrites `gradient`.
  virtual void backward(const std::vector<double>& parameters, const std::vector<double>& slopes,
                        std::vector<double>& gradient) = 0;
};

std::unique_ptr<ModelStep> self_attention_step(const SelfAttentionModel& model, const BitPatterns& inputs);
/// `dropout` null: every hidden unit speaks.
std::unique_ptr<ModelStep> perceptron_step(const PerceptronModel& model, const BitPatterns& inputs,
                                           Random* dropout);

} // namespace mneme::training
